/**
 * The questions that an edge asks Redis: scripts, so that each answer is of one moment, and so that what is far too long
 * stays where it is. And what their answers mean. Knows nothing of what is made of them.
 */

import type { Link } from "./connect.js";
import { FIELDS, type Keys } from "./keys.js";
import { WRONG_TYPE } from "./reach.js";
import { script } from "./script.js";
import type { Version } from "./versions.js";
import { LONGEST_ABOUT, LONGEST_OFFER } from "./wire.js";

/** The lease of a host that is over for so long is forgotten, and so is an edge that was not heard of; in milliseconds. */
const FORGET_MS = 3_600_000;
/** Longest name of a host that is looked at, in bytes; `NAME` in config/rules.ts allows 63. */
const LONGEST_NAME = 63;
/** Longest key of an offer, likewise: service, address and port. */
const LONGEST_KEY = 256;
/** A host with more offers than these is not read. */
const MAX_OFFERS = 10_000;

const NOW = "local t = redis.call('TIME') local now = t[1] * 1000 + math.floor(t[2] / 1000)";

/**
 * Keys: leases, edges, then hashes of hosts whose versions are asked for. Arguments: this edge, how far ahead a lease may
 * end, how many hosts the caller has seen. All leases are told when there are not as many.
 */
const BEAT = script(`
${WRONG_TYPE}
${NOW}
local leases, edges = KEYS[1], KEYS[2]
local wrong = wrongType(redis.pcall('ZCARD', leases), leases) or wrongType(redis.pcall('ZCARD', edges), edges)
if wrong then return wrong end
-- first, since after another write no want of memory would be told
redis.call('ZADD', edges, now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', leases, '-inf', now - ${FORGET_MS})
redis.call('ZREMRANGEBYSCORE', edges, '-inf', now - ${FORGET_MS})
local function range(from, to)
	local found = {}
	local all = redis.call('ZRANGEBYSCORE', leases, from, to, 'WITHSCORES')
	for i = 1, #all, 2 do
		if #all[i] <= ${LONGEST_NAME} then
			found[#found + 1] = all[i]
			found[#found + 1] = all[i + 1]
		end
	end
	return found
end
local count = redis.call('ZCARD', leases)
local all = false
if count ~= tonumber(ARGV[3]) then all = range('-inf', '+inf') end
local versions = {}
for i = 3, #KEYS do
	local pair = redis.pcall('HMGET', KEYS[i], '${FIELDS.incarnation}', '${FIELDS.sequence}')
	if not pair.err and pair[1] and pair[2] and #pair[1] + #pair[2] <= 32 then
		versions[#versions + 1] = pair[1] .. ':' .. pair[2]
	else
		versions[#versions + 1] = ''
	end
end
return {now, count, range('-inf', now), range('(' .. now + tonumber(ARGV[2]), '+inf'), all, versions}
`);

/**
 * Keys: leases, then hashes of hosts. Arguments: for each its name, and the version that is known of it. Per host: what came
 * of it, the end of its lease, its version, its fields, and what is too long: name, bytes, name, bytes, …
 */
const READ = script(`
${NOW}
local own = {['${FIELDS.incarnation}'] = 1, ['${FIELDS.sequence}'] = 1, ['${FIELDS.boot}'] = 1, ['${FIELDS.machine}'] = 1, ['${FIELDS.start}'] = 1}
local function read(key, known)
	local size = redis.pcall('HLEN', key)
	if type(size) == 'table' then
		if string.find(size.err, 'WRONGTYPE') then return 'type' end
		-- asked once more, unprotected: that error has a line, by which the command is named
		redis.call('HLEN', key)
	end
	if size == 0 then return 'none' end
	if size > ${MAX_OFFERS} then return 'many', size end
	local pair = redis.call('HMGET', key, '${FIELDS.incarnation}', '${FIELDS.sequence}')
	if not pair[1] or not pair[2] or #pair[1] + #pair[2] > 32 then return 'version' end
	local version = pair[1] .. ':' .. pair[2]
	if version == known then return 'same', version end
	local all, fields, long = redis.call('HGETALL', key), {}, {}
	for i = 1, #all, 2 do
		local name, value = all[i], all[i + 1]
		local limit = ${LONGEST_OFFER}
		if name == '${FIELDS.about}' then limit = ${LONGEST_ABOUT} end
		if own[name] then
		elseif #name > ${LONGEST_KEY} or #value > limit then
			long[#long + 1] = string.sub(name, 1, ${LONGEST_KEY})
			long[#long + 1] = math.max(#name, #value)
		else
			fields[#fields + 1] = name
			fields[#fields + 1] = value
		end
	end
	return 'whole', version, fields, long
end
local found = {}
for i = 2, #KEYS do
	local ends = redis.call('ZSCORE', KEYS[1], ARGV[i * 2 - 3])
	local what, version, fields, long = read(KEYS[i], ARGV[i * 2 - 2])
	local lives = 0
	if ends and tonumber(ends) > now then lives = 1 end
	found[#found + 1] = {what, lives, version or '', fields or {}, long or {}}
end
return found
`);

export interface BeatAnswer {
	readonly redisMs: number;
	/** How many leases there are. */
	readonly count: number;
	readonly ended: ReadonlyMap<string, number>;
	readonly ahead: ReadonlyMap<string, number>;
	readonly all: ReadonlyMap<string, number> | undefined;
	/** Of the hosts whose versions were asked for, where they have one. */
	readonly versions: ReadonlyMap<string, Version>;
}

export interface BeatQuestion {
	/** Who asks. */
	readonly edge: string;
	/** Milliseconds. */
	readonly aheadMs: number;
	/** All leases are told when there are not so many. */
	readonly count: number | undefined;
	readonly hosts: readonly string[];
}

/** @throws what the link's `why` has words for: Redis takes no writes, for one */
export async function askBeat(link: Link, keys: Keys, { edge, aheadMs, count, hosts }: BeatQuestion) {
	const reply = list(
		await link.run(BEAT, [keys.leases, keys.edges, ...hosts.map(keys.host)], [edge, aheadMs, count ?? -1]),
	);
	const [redisMs, total, ended, ahead, all, versions] = reply;
	const told = list(versions);
	return {
		redisMs: Number(redisMs),
		count: Number(total),
		ended: scores(ended),
		ahead: scores(ahead),
		all: Array.isArray(all) ? scores(all) : undefined,
		versions: new Map(
			hosts.flatMap((host, at) => {
				const version = readVersion(told[at]);
				return version === undefined ? [] : [[host, version] as const];
			}),
		),
	} satisfies BeatAnswer;
}

/** What a read of one host found. */
export type HostRead =
	/** It has no hash: it was removed, or never there. */
	| { readonly kind: "none" }
	/** Its hash is what is known. */
	| { readonly kind: "same" }
	| { readonly kind: "unusable"; readonly why: string }
	| {
			readonly kind: "whole";
			/** Whether its lease goes on, by Redis' clock. */
			readonly isAlive: boolean;
			readonly version: Version;
			readonly about: string | undefined;
			/** All other fields that are short enough. */
			readonly offers: readonly (readonly [key: string, text: string])[];
			readonly tooLong: readonly { readonly key: string; readonly bytes: number }[];
	  };

/**
 * Reads some hosts at one moment, in their order.
 *
 * @param known the version of each that need not be read again
 */
export async function askHosts(
	link: Link,
	keys: Keys,
	hosts: readonly string[],
	known: (host: string) => Version | undefined,
): Promise<readonly HostRead[]> {
	const args = hosts.flatMap((host) => {
		const version = known(host);
		return [host, version === undefined ? "" : `${version.incarnation}:${version.sequence}`];
	});
	const reply = list(await link.run(READ, [keys.leases, ...hosts.map(keys.host)], args));
	return hosts.map((_, at) => readHost(list(reply[at])));
}

function readVersion(text: unknown): Version | undefined {
	const [, incarnation, sequence] = /^(\d{1,15}):(\d{1,15})$/.exec(String(text)) ?? [];
	return incarnation === undefined ? undefined : { incarnation: Number(incarnation), sequence: Number(sequence) };
}

function readHost([kind, lives, text, rawFields, rawLong]: readonly unknown[]): HostRead {
	const isAlive = Number(lives) === 1;
	if (kind === "none") return { kind: "none" };
	if (kind === "same") return { kind: "same" };
	if (kind === "type") return { kind: "unusable", why: "its key is no hash (delete it: its host writes it anew)" };
	if (kind === "many") return { kind: "unusable", why: `it has ${text} fields, more than ${MAX_OFFERS}` };
	const version = readVersion(text);
	if (version === undefined) {
		return { kind: "unusable", why: `${FIELDS.incarnation} and ${FIELDS.sequence} are not both numbers` };
	}
	const fields = pairs(rawFields);
	return {
		kind: "whole",
		isAlive,
		version,
		about: fields.find(([key]) => key === FIELDS.about)?.[1],
		offers: fields.filter(([key]) => key !== FIELDS.about),
		tooLong: pairs(rawLong).map(([key, bytes]) => ({ key, bytes: Number(bytes) })),
	};
}

const list = (reply: unknown): readonly unknown[] => (Array.isArray(reply) ? reply : []);

/** Of a flat list: first, second, first, second, … */
function pairs(reply: unknown): (readonly [string, string])[] {
	const all = list(reply);
	const found: (readonly [string, string])[] = [];
	for (let at = 0; at < all.length; at += 2) found.push([String(all[at]), String(all[at + 1] ?? "")]);
	return found;
}

const scores = (reply: unknown): Map<string, number> =>
	new Map(pairs(reply).map(([host, score]) => [host, score === "inf" ? Number.POSITIVE_INFINITY : Number(score)]));
