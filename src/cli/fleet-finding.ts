/**
 * What `solistend doctor` says of the fleet: whether Redis does all that is asked of it, and whether this host can tell others
 * anything. Leaves nothing in Redis.
 */

import { z } from "zod";
import type { Config, FleetConfig } from "../config/schema.js";
import type { Link } from "../fleet/redis/connect.js";
import { FIELDS, type Keys, keysOf } from "../fleet/redis/keys.js";
import type { RedisConfig } from "../fleet/redis/trouble.js";
import { isLoopback, parseIp } from "../ip.js";
import type { Finding } from "./finding.js";
import { missingRights } from "./fleet-rights.js";

/** More than leases and lags are meant to bear. */
const CLOCK_OFF_MS = 500;
const NEEDED = [6, 2] as const;

const named = (what: string) => `fleet: ${what}`;
const ok = (what: string, detail: string): Finding => ({ name: named(what), state: "ok", detail });
const degraded = (what: string, detail: string): Finding => ({ name: named(what), state: "degraded", detail });
const failed = (what: string, detail: string): Finding => ({ name: named(what), state: "failed", detail });

/** None where the configuration has no fleet. */
export async function fleetFindings({ host, fleet, discovery }: Config): Promise<Finding[]> {
	if (fleet === undefined) return [];
	return [
		...(await redisFindings(host, fleet)),
		...encryption(fleet.redis),
		...(fleet.publish ? reachable(fleet, discovery.docker !== undefined) : []),
	];
}

async function redisFindings(host: string, fleet: FleetConfig): Promise<Finding[]> {
	const { openLink } = await import("../fleet/redis/connect.js");
	const { redisPlace } = await import("../fleet/redis/trouble.js");
	const place = redisPlace(fleet.redis);
	let link: Link | undefined;
	try {
		const why = await new Promise<string | undefined>((resolve) => {
			link = openLink(fleet.redis, { purpose: "commands", onUp: () => resolve(undefined), onDown: resolve });
		});
		if (link === undefined || why !== undefined) return [failed("Redis", why ?? "no connection was made")];
		return await askedOf(link, place, host, fleet);
	} finally {
		link?.close();
	}
}

/** One after the other: what the first ones find out may be why the next fail. */
async function askedOf(link: Link, place: string, host: string, fleet: FleetConfig): Promise<Finding[]> {
	const keys = keysOf(fleet.cluster);
	const version = await versionFinding(link, place);
	if (version.state === "failed") return [version];
	return [
		version,
		await rightsFinding(link, fleet),
		...(await memoryFindings(link)),
		await clockFinding(link),
		...(fleet.publish ? [await nameFinding(link, keys, host)] : []),
	];
}

/** What `HELLO` answers without arguments, which only 6.2 and later take; allowed to everyone. */
const hello = z.object({ version: z.string(), mode: z.string() });

async function versionFinding(link: Link, place: string): Promise<Finding> {
	try {
		const { data } = hello.safeParse(pairs(await link.send(["hello"])));
		if (data === undefined) return failed("Redis", `what answers at ${place} is no Redis`);
		const [major = 0, minor = 0] = data.version.split(".").map(Number);
		if (major < NEEDED[0] || (major === NEEDED[0] && minor < NEEDED[1])) return tooOld(data.version);
		return ok("Redis", `${data.version} at ${place}${data.mode === "standalone" ? "" : ` (${data.mode})`}`);
	} catch (error) {
		if (/wrong number of arguments|unknown command/i.test(String(error))) return tooOld("what answers");
		return failed("Redis", link.why(error));
	}
}

const tooOld = (version: string) => failed("Redis", `${version} is too old (${NEEDED.join(".")} or later is needed)`);

async function rightsFinding(link: Link, { cluster, redis, publish, subscribe }: FleetConfig): Promise<Finding> {
	const what = "rights";
	const { username = "default" }: RedisConfig = redis;
	const role = publish && subscribe ? "both" : publish ? "publish" : "subscribe";
	const isCluster = redis.cluster !== undefined;
	try {
		const why = await missingRights(link, { role, cluster, isCluster, username });
		return why === undefined ? ok(what, `user ${username} may do all that is needed`) : failed(what, why);
	} catch (error) {
		return failed(what, link.why(error));
	}
}

const memory = z.object({ maxmemory_policy: z.string() });
const persistence = z.object({ aof_enabled: z.string() });

/** A user with no more rights than needed may not ask for these: then they stay unknown, which is no fault. */
async function memoryFindings(link: Link): Promise<Finding[]> {
	const asked = await Promise.all(
		["memory", "persistence"].map((section) =>
			link.send(["info", section]).then(
				(text) =>
					Object.fromEntries(
						String(text)
							.split("\r\n")
							.map((line) => line.split(":", 2)),
					),
				() => undefined,
			),
		),
	);
	const policy = memory.safeParse(asked[0]).data?.maxmemory_policy;
	const kept = persistence.safeParse(asked[1]).data;
	return [evictionFinding(policy), persistenceFinding(kept?.aof_enabled)];
}

function evictionFinding(policy: string | undefined): Finding {
	const what = "eviction";
	if (policy === "noeviction") return ok(what, policy);
	if (policy === undefined) {
		return ok(what, "unknown, as this user may not ask (redis-cli CONFIG GET maxmemory-policy must say noeviction)");
	}
	return failed(what, `${policy}: Redis throws hosts away when its memory is full (set maxmemory-policy noeviction)`);
}

/** Neither is needed: an empty Redis is filled again within a third of a lease. */
function persistenceFinding(aof: string | undefined): Finding {
	const what = "persistence";
	const refilled = "nothing of a fleet need be kept: after a loss all hosts tell again within a third of their lease";
	if (aof === undefined) return ok(what, `unknown, as this user may not ask; ${refilled}`);
	return ok(what, `append-only file ${aof === "1" ? "on" : "off"}; ${refilled}`);
}

const time = z.tuple([z.coerce.number(), z.coerce.number()]);

/** Leases go by Redis' clock alone: a difference spoils nothing but what is shown. */
async function clockFinding(link: Link): Promise<Finding> {
	const what = "clock";
	try {
		const askedMs = Date.now();
		const [seconds, micros] = time.parse(await link.send(["time"]));
		// Redis looked somewhere between the question and the answer.
		const aheadMs = Math.round((askedMs + Date.now()) / 2 - (seconds * 1000 + micros / 1000));
		const detail = `this host's is ${Math.abs(aheadMs)} ms ${aheadMs < 0 ? "behind" : "ahead of"} that of Redis`;
		if (Math.abs(aheadMs) <= CLOCK_OFF_MS) return ok(what, detail);
		return degraded(what, `${detail}: leases go by the latter alone, but lags are shown wrong (see NTP on both)`);
	} catch (error) {
		return failed(what, link.why(error));
	}
}

/** Whether somebody else tells for a host of this name. */
async function nameFinding(link: Link, keys: Keys, host: string): Promise<Finding> {
	const what = "name";
	try {
		const { readProcessIdentity } = await import("../fleet/redis/process-identity.js");
		const [machine] = z.array(z.string().nullable()).parse(await link.send(["hmget", keys.host(host), FIELDS.machine]));
		if (machine === undefined || machine === null) return ok(what, `${host}, which nobody tells for yet`);
		if (machine === readProcessIdentity().machine) return ok(what, `${host}, told for by this machine`);
		const ends = z.coerce.number().parse(await link.send(["zscore", keys.leases, host]));
		const [seconds] = time.parse(await link.send(["time"]));
		if (ends < seconds * 1000) return ok(what, `${host}, which another machine had before; its lease is over`);
		return failed(what, `another machine calls itself ${host} (give this one a name of its own: host)`);
	} catch (error) {
		return failed(what, link.why(error));
	}
}

/** Whether the password and all addresses go over the network for anyone to read. */
function encryption({ url, sentinels, cluster, tls, sentinelTls }: RedisConfig): Finding[] {
	const isEncrypted = /^rediss:/i.test(url ?? "") || (tls !== undefined && tls !== false);
	if (isEncrypted && sentinelTls !== false) return [ok("encryption", "TLS")];
	const servers = [...(url === undefined ? [] : [url]), ...(sentinels ?? []), ...(cluster ?? [])];
	const beyond = servers.find((server) => !isHere(server));
	if (beyond === undefined) return [];
	const mend = isEncrypted ? "drop fleet.redis.sentinelTls" : "write rediss://, or set fleet.redis.tls";
	return [degraded("encryption", `what goes to ${beyond} can be read on its way, with the password (${mend})`)];
}

/** A server that is reached without a network. */
function isHere(server: string): boolean {
	if (/^unix:/i.test(server)) return true;
	const [, host = ""] = /^(?:\w+:\/\/)?(\[[^\]]*\]|[^:/]*)/.exec(server) ?? [];
	const ip = parseIp(host.replace(/^\[(.*)\]$/, "$1"));
	return host === "localhost" || (ip !== undefined && isLoopback(ip));
}

/** Whether there can be anything that other hosts reach. */
function reachable({ advertise, redis }: FleetConfig, hasEngine: boolean): Finding[] {
	const what = "advertise";
	if (advertise.length > 0) return [ok(what, advertise.join(", "))];
	const mend = "name the networks whose addresses others reach as fleet.advertise";
	const { url } = redis;
	if (url !== undefined && isHere(url)) {
		const why = `none, and Redis is reached at ${url}, which tells no address of this host`;
		return [degraded(what, `${why}: others are told of no backend here (${mend})`)];
	}
	const ports = hasEngine ? "of containers, published ports" : "of containers nothing, without discovery.docker";
	return [ok(what, `none: this host by the address at which it reaches Redis; ${ports} (${mend})`)];
}

/** A map of Redis in the older protocol: keys and values in turn. */
const pairs = (reply: unknown): unknown =>
	Array.isArray(reply)
		? Object.fromEntries(reply.flatMap((key, i) => (i % 2 === 0 ? [[String(key), reply[i + 1]]] : [])))
		: reply;
