/** What no single key of `fleet` can tell: keys that need or exclude each other. Pure; looks at the raw value, as cross-checks do. */

import { z } from "zod";
import type { Finding } from "./problem.js";

const given = z.unknown().optional();

const tls = z
	.union([z.boolean(), z.object({ cert: given, key: given })])
	.optional()
	.catch(undefined);

/** What is not as it should be is left out of the outline: the schema reports it. */
const redisOutline = z.object({
	url: z.string().optional().catch(undefined),
	sentinels: given,
	master: given,
	username: given,
	passwordFile: given,
	tls,
	sentinelUsername: given,
	sentinelPasswordFile: given,
	sentinelTls: tls,
});

const fleetOutline = z.object({
	redis: redisOutline.catch({}),
	publish: z.boolean().default(true).catch(true),
	subscribe: z.boolean().default(true).catch(true),
	zone: given,
	zones: given,
});

const serviceOutline = z.object({ prefer: z.string() });

type FleetOutline = z.output<typeof fleetOutline>;
type RedisOutline = FleetOutline["redis"];

/**
 * @param fleet the value of `fleet`; undefined where there is none
 * @param services those of `services`, by name
 */
export function fleetChecks(fleet: unknown, services: Readonly<Record<string, unknown>>): Finding[] {
	const outline = fleetOutline.safeParse(fleet).data;
	const hasZone = outline?.zone !== undefined;
	return [
		...(outline === undefined ? [] : [...idle(outline), ...zoneless(outline), ...redisChecks(outline.redis)]),
		...(hasZone ? [] : prefersZone(services)),
	];
}

const finding = (path: Finding["path"], message: string): Finding => ({ path, on: "value", message });

function idle({ publish, subscribe }: FleetOutline): Finding[] {
	if (publish || subscribe) return [];
	return [finding(["fleet"], "has publish: false and subscribe: false, so it does nothing (drop one, or fleet)")];
}

function zoneless({ zone, zones }: FleetOutline): Finding[] {
	if (zones === undefined || zone !== undefined) return [];
	return [finding(["fleet", "zones"], "need to know where this host is (name its zone: fleet.zone)")];
}

function prefersZone(services: Readonly<Record<string, unknown>>): Finding[] {
	return Object.entries(services).flatMap(([name, service]) =>
		serviceOutline.safeParse(service).data?.prefer === "zone"
			? [finding(["services", name, "prefer"], "is zone, but this host has none (name it: fleet.zone)")]
			: [],
	);
}

function redisChecks(redis: RedisOutline): Finding[] {
	const about = (key: string, message: string) => finding(["fleet", "redis", key], message);
	const { url, tls } = redis;
	const findings: Finding[] = [];
	if (redis.username !== undefined && redis.passwordFile === undefined) {
		findings.push(about("username", "needs its password (name the file that holds it: passwordFile)"));
	}
	if (redis.master !== undefined && redis.sentinels === undefined) {
		findings.push(about("master", "is a name that Sentinels know (list them as sentinels, or drop it)"));
	}
	if (redis.sentinelUsername !== undefined && redis.sentinelPasswordFile === undefined) {
		findings.push(about("sentinelUsername", "needs its password (name the file that holds it: sentinelPasswordFile)"));
	}
	for (const key of ["sentinelUsername", "sentinelPasswordFile", "sentinelTls"] as const) {
		if (redis[key] === undefined || redis.sentinels !== undefined) continue;
		findings.push(about(key, "is for Sentinels (list them as sentinels, or drop it)"));
	}
	// a URL that is none of these is reported as such
	const [, scheme] = /^(redis|unix):/i.exec(url ?? "") ?? [];
	if (tls !== undefined && tls !== false && scheme !== undefined) {
		const mend = /^unix$/i.test(scheme) ? "drop tls: a unix socket needs none" : "write rediss://, or drop tls";
		findings.push(about("tls", `is asked for, but url is ${scheme}:// (${mend})`));
	}
	if (tls === false && url !== undefined && /^rediss:/i.test(url)) {
		findings.push(about("tls", "is false, but url is rediss:// (write redis://, or drop tls)"));
	}
	for (const key of ["tls", "sentinelTls"] as const) {
		const files = redis[key];
		if (typeof files !== "object" || (files.cert === undefined) === (files.key === undefined)) continue;
		const [there, missing] = files.cert === undefined ? ["key", "cert"] : ["cert", "key"];
		findings.push(about(key, `has ${there} without ${missing} (give both, or neither)`));
	}
	return findings;
}
