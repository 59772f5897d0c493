/**
 * Whether Redis lets this host do what a fleet needs: each command is tried, on a key of its own, in a form that changes
 * nothing and leaves nothing there.
 */

import { aclRules, commandsOf, type Role } from "../fleet/redis/acl.js";
import type { Link } from "../fleet/redis/connect.js";

type Words = readonly (string | number)[];

/** In the order in which they are tried: what the first ones write, later ones take away. */
const HARMLESS: Readonly<Record<string, (key: string) => Words>> = {
	ping: () => [],
	time: () => [],
	eval: (key) => ["return 1", 1, key],
	// the hash of no script: an error that is expected
	evalsha: (key) => ["0".repeat(40), 1, key],
	"cluster|slots": () => ["slots"],
	hset: (key) => [key, "field", "value"],
	pexpire: (key) => [key, 1000],
	hmget: (key) => [key, "field"],
	hgetall: (key) => [key],
	hlen: (key) => [key],
	hdel: (key) => [key, "field"],
	del: (key) => [key],
	zadd: (key) => [key, "XX", 0, "member"],
	zscore: (key) => [key, "member"],
	zrangebyscore: (key) => [key, 0, 0],
	zremrangebyscore: (key) => [key, 0, 0],
	zcard: (key) => [key],
	zrem: (key) => [key, "member"],
	xadd: (key) => [key, "NOMKSTREAM", "*", "field", "value"],
	xread: (key) => ["COUNT", 1, "STREAMS", key, "0"],
	"xinfo|stream": (key) => ["stream", key],
};

/** The commands that can be tried; a test holds them to those that are needed. */
export const TRIED: ReadonlySet<string> = new Set(Object.keys(HARMLESS));

export interface RightsOptions {
	readonly role: Role;
	readonly cluster: string;
	readonly isCluster: boolean;
	readonly username: string;
}

/**
 * Tries all that the role needs.
 *
 * @returns why not, as a clause with its mend; undefined where all may be done
 * @throws what the link's `why` has words for, when the connection is lost
 */
export async function missingRights(link: Link, options: RightsOptions): Promise<string | undefined> {
	const { role, cluster, isCluster, username } = options;
	const [pattern = "", ...rules] = aclRules(role, cluster, isCluster);
	const key = pattern.slice(1).replace(/\*$/, `doctor:${process.pid}`);
	const needed = new Set(commandsOf(role, isCluster));
	const missing: string[] = [];
	let other: string | undefined;
	for (const [command, wordsFor] of Object.entries(HARMLESS)) {
		if (!needed.has(command)) continue;
		try {
			await link.send([command.replace(/\|.*/, ""), ...wordsFor(key)]);
		} catch (error) {
			if (!link.isUp) throw error;
			const text = String(error);
			if (/NOPERM/.test(text)) missing.push(command);
			else if (!/NOSCRIPT|no such key/.test(text)) other ??= link.why(error);
		}
	}
	if (missing.length === 0) return other;
	const mend = `ACL SETUSER ${username} ${[pattern, ...rules].join(" ")}`;
	return `user ${username} may not ${missing.join(", ")} on the keys of this cluster (${mend})`;
}
