/**
 * Where things are in Redis. All keys of a cluster have one hash tag, so that a Redis Cluster keeps them on one node and a
 * script may change several at once. docs/fleet.md describes each for operators. Pure.
 */

/** The version of all that is described here and in wire.ts; a value of another version is not read. */
export const WIRE_VERSION = 1;

export interface Keys {
	/** Sorted set: host → when its lease ends, in milliseconds of Redis' own clock (`TIME`). */
	readonly leases: string;
	/** Sorted set: edge → when it was heard of last, likewise; who only subscribes is known by it. */
	readonly edges: string;
	/** Stream of changes, the oldest trimmed; see `ChangeEntry`. */
	readonly changes: string;
	/** Hash of one host: what it says of itself in fields that begin with `@`, then a field for each offer, by its key. */
	host(name: string): string;
}

export function keysOf(cluster: string): Keys {
	const tag = `{solistend:${cluster}}`;
	return {
		leases: `${tag}:leases`,
		edges: `${tag}:edges`,
		changes: `${tag}:changes`,
		host: (name) => `${tag}:host:${name}`,
	};
}

/** Fields of a host's hash besides its offers; no service's name begins with `@`. */
export const FIELDS = {
	/** Number of its incarnation: grows with each start of its daemon, whatever happened to Redis in between. */
	incarnation: "@incarnation",
	/** Number of its last change within the incarnation. */
	sequence: "@sequence",
	/** Boot id, machine id (hashed) and start of the daemon in ticks since boot: who may take over from whom. */
	boot: "@boot",
	machine: "@machine",
	start: "@start",
	/** JSON, see `hostRecord` in wire.ts. */
	about: "@about",
} as const;

/**
 * Fields of an entry of the stream:
 * - `h` host, `i` incarnation, `s` sequence after it, `t` when it was told, in milliseconds of Redis' clock
 * - `k` kind: `delta`, with `p` the changes as JSON (see `deltaRecord`); `whole`: read its hash; `about`: it says another
 *   thing of itself, with `p` as in `@about`; `bye`: it drained and is no more
 */
export const ENTRY = { host: "h", incarnation: "i", sequence: "s", time: "t", kind: "k", payload: "p" } as const;

export type EntryKind = "delta" | "whole" | "about" | "bye";

/** How many entries the stream keeps, about: an edge that was away for longer reads all hosts again. */
export const STREAM_LENGTH = 10_000;

/** A change that is longer than so many characters is told as `whole`. */
export const LONGEST_DELTA = 65_536;
