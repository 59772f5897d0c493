/** Many hosts that share a Redis, played by one process: what an edge takes to start and to follow, and what Redis does. */

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { stringify } from "yaml";
import { type Daemon, startDaemon } from "../../host/daemon.js";
import { type Lifetime, lifetime } from "../../host/lifetime.js";
import { type RedisServer, startRedis } from "../../host/redis.js";
import { tempFolder } from "../../host/temp-folder.js";
import { beside, type Figure, type Section } from "../figure.js";
import { startDialogue } from "../rig/dialogue.js";
import { between, countsOf, type RedisCounts, redisMemoryMb, redisVersion } from "../rig/redis-counts.js";
import { cpuMs, rssMb } from "../rig/usage.js";
import { percentile, summary } from "../statistics.js";

interface Size {
	readonly hosts: number;
	readonly backends: number;
}

const SIZES: readonly Size[] = [
	{ hosts: 100, backends: 50 },
	{ hosts: 1000, backends: 50 },
	{ hosts: 10_000, backends: 5 },
];
/** The size that the goals are for. */
const GOAL_HOSTS = 1000;
const SERVICES = 50;
const LEASE_MS = 10_000;
const STARTS = 5;
const IDLE_SECONDS = 10;
const PER_SECOND = 200;
const SECONDS = 30;
/** What came of a change has come by then; a garbage collection after it, too. */
const REST_MS = 1000;
const START_GOAL_MS = 2000;
const CPU_GOAL = 0.2;
const MEMORY_GOAL_MB = 100;
const PUBLISHERS = fileURLToPath(new URL("../publishers.ts", import.meta.url));

export async function fleetScale(): Promise<Section> {
	const figures: Figure[] = [];
	let version = "";
	for (const size of SIZES) {
		await using owned = lifetime();
		const redis = owned.own(await startRedis({ config: ["maxclients 20000"] }));
		version = await redisVersion(redis);
		const found = await measure(owned, redis, size);
		figures.push(...found);
		// the next size may be too much for the machine
		for (const { what, measured } of found) process.stderr.write(`==> ${what}: ${measured}\n`);
	}
	return {
		title: "Many hosts",
		text: `One process plays the hosts: for each the publishing half that a daemon has, with a connection and a lease of ${LEASE_MS / 1000} s of
its own, but no applications; backends are of ${SERVICES} services. They share a real Redis ${version} over a unix socket. The edge is a real
daemon without a proxy: what HAProxy takes for a change is measured above. Start: from that of the process, Node's included,
until it says that all is known (p50 / p99 / max of ${STARTS}); the same without a fleet beside it. Then backends come and go, ${PER_SECOND} a
second for ${SECONDS} s, of any host. Bytes and commands are Redis' own count (INFO): without a change and an edge (leases are
renewed each third), what an edge adds to that, and what a change adds (it renews
the lease of its host, too), of which the edge's share is told to each edge.`,
		figures,
	};
}

async function measure(owned: Lifetime, redis: RedisServer, { hosts, backends }: Size): Promise<Figure[]> {
	const words = [redis.url, hosts, backends, SERVICES, LEASE_MS].map(String);
	const publishers = owned.own(startDialogue([process.execPath, "--import", "tsx", PUBLISHERS, ...words]));
	await publishers.next();
	await pause(LEASE_MS / 3);
	const over = async (seconds: number, work: Promise<unknown> = pause(seconds * 1000)) => {
		const before = await countsOf(redis);
		await work;
		return perSecond(between(before, await countsOf(redis)), seconds);
	};
	const change = () => publishers.ask(`change ${PER_SECOND} ${SECONDS}`);
	const all = hosts * backends;
	const alone = await startTimes(owned, undefined, 0);
	const idle = await over(IDLE_SECONDS);
	const changing = await over(SECONDS, change());
	const { times, daemon, memoryMb } = await startTimes(owned, redis, all);
	const restingMs = await cpuMs(daemon.pid);
	const withEdge = await over(IDLE_SECONDS);
	const idleCore = ((await cpuMs(daemon.pid)) - restingMs) / (IDLE_SECONDS * 1000);
	const beforeMs = await cpuMs(daemon.pid);
	const both = await over(SECONDS, change());
	const core = ((await cpuMs(daemon.pid)) - beforeMs) / (SECONDS * 1000);
	await pause(REST_MS);
	const moreMb = (await rssMb(daemon.pid)) - alone.memoryMb;
	const isGoal = hosts === GOAL_HOSTS;
	const goal = (what: string, measured: string, words: string, met: boolean): Figure =>
		isGoal ? { what, measured, goal: words, met } : beside(what, measured);
	const startP50 = percentile(times, 0.5);
	const edgeShare = less(less(both, withEdge), less(changing, idle));
	const title = `${hosts.toLocaleString("en")} hosts × ${backends}`;
	return [
		goal(`${title}: an edge's start → all known`, summary(times), `≤ ${START_GOAL_MS} ms`, startP50 <= START_GOAL_MS),
		beside("– the same without a fleet", summary(alone.times)),
		goal(
			`– CPU of the edge at ${PER_SECOND} changes a second`,
			`${(core * 100).toFixed(1)} % of a core`,
			`≤ ${CPU_GOAL * 100} %`,
			core <= CPU_GOAL,
		),
		beside("– the same while nothing changes", `${(idleCore * 100).toFixed(1)} % of a core`),
		goal(
			"– memory of the edge more than without a fleet, after that",
			`${moreMb.toFixed(0)} MB (after its start ${(memoryMb - alone.memoryMb).toFixed(0)} MB)`,
			`≤ ${MEMORY_GOAL_MB} MB`,
			moreMb <= MEMORY_GOAL_MB,
		),
		beside("– Redis, per second for all hosts, nothing changes", countText(idle)),
		beside("– Redis, per second and edge, nothing changes", countText(less(withEdge, idle))),
		beside("– Redis, per change, by its host", countText(scaled(less(changing, idle), PER_SECOND))),
		beside("– Redis, per change and edge", countText(scaled(edgeShare, PER_SECOND))),
		beside(
			`– Redis, CPU with one edge: idle; at ${PER_SECOND} changes a second`,
			`${(withEdge.cpuMs / 10).toFixed(1)} %; ${(both.cpuMs / 10).toFixed(1)} % of a core`,
		),
		beside("– Redis, memory of the data", `${(await redisMemoryMb(redis)).toFixed(0)} MB`),
	];
}

/** Starts a daemon again and again; the last one stays. */
async function startTimes(owned: Lifetime, redis: RedisServer | undefined, backends: number) {
	const { path: folder } = owned.own(await tempFolder("solistend-bench"));
	const state = join(folder, "state");
	await mkdir(state);
	const config = join(folder, "solistend.yaml");
	const services = Object.fromEntries(
		Array.from({ length: SERVICES }, (_, index) => [`service-${index}`, { match: { port: 1, comm: "nobody" } }]),
	);
	const fleet = redis && { redis: redis.url, publish: false, lease: `${LEASE_MS}ms` };
	const places = { state, admin: { socket: join(folder, "admin.sock") } };
	await writeFile(config, stringify({ host: "edge", services, proxies: [], ...places, ...(fleet && { fleet }) }));
	const times: number[] = [];
	for (let run = 1; ; run++) {
		const startedMs = performance.now();
		const daemon: Daemon = owned.own(startDaemon({ config }));
		const { services: found } = await daemon.waitFor("ready", { timeoutMs: 60_000 });
		times.push(performance.now() - startedMs);
		const known = Object.values(found as Record<string, number>).reduce((sum, count) => sum + count, 0);
		if (known !== backends) throw new Error(`${known} of ${backends} backends are known\n${daemon.lastLines()}`);
		if (run < STARTS) {
			await daemon.stop();
			continue;
		}
		await pause(REST_MS);
		const memoryMb = await rssMb(daemon.pid);
		if (redis === undefined) await daemon.stop();
		return { times, daemon, memoryMb };
	}
}

const each = (make: (key: keyof RedisCounts) => number): RedisCounts => ({
	commands: make("commands"),
	inScripts: make("inScripts"),
	received: make("received"),
	sent: make("sent"),
	cpuMs: make("cpuMs"),
});
const scaled = (counts: RedisCounts, by: number) => each((key) => counts[key] / by);
const perSecond = scaled;
const less = (counts: RedisCounts, others: RedisCounts) => each((key) => counts[key] - others[key]);

const bytesText = (bytes: number) => (bytes < 10_000 ? `${bytes.toFixed(0)} B` : `${(bytes / 1000).toFixed(0)} kB`);

/** A difference of two counts may be lost in how much renewals vary. */
function countText({ commands, inScripts, received, sent }: RedisCounts): string {
	if (Math.min(commands, received, sent) < 0) return `less than renewals vary by; ${bytesText(Math.max(0, sent))} out`;
	const scripts = `${Math.max(0, inScripts).toFixed(0)} within scripts`;
	return `${commands.toFixed(1)} commands (${scripts}), ${bytesText(received)} in, ${bytesText(sent)} out`;
}
