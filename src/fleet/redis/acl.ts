/**
 * The least rights that a user of Redis needs, by what its host does; docs/fleet.md shows them, and a test holds them to
 * what is really asked of Redis. Pure.
 */

import { keysOf } from "./keys.js";

/** `publish` alone: a host that is no edge. `subscribe` alone: an edge that offers nothing. */
export type Role = "publish" | "subscribe" | "both";

/** Commands within scripts need their rights, too. */
const PUBLISH = [
	"evalsha",
	"eval",
	"time",
	"hmget",
	"hgetall",
	"hset",
	"hdel",
	"del",
	"pexpire",
	"zscore",
	"zadd",
	"zrem",
	"xadd",
] as const;

/** What every connection needs: to ask whether Redis is there, as `doctor` does. */
const ALWAYS = ["ping"] as const;

/** What clients of a Redis Cluster need beside: where the keys are. */
const CLUSTER = ["cluster|slots"] as const;

const SUBSCRIBE = [
	"evalsha",
	"eval",
	"time",
	"hlen",
	"hmget",
	"hgetall",
	"zscore",
	"zcard",
	"zrangebyscore",
	"zremrangebyscore",
	"zadd",
	"xread",
	"xinfo|stream",
] as const;

const COMMANDS = {
	publish: [...ALWAYS, ...PUBLISH],
	subscribe: [...ALWAYS, ...SUBSCRIBE],
	both: [...new Set([...ALWAYS, ...PUBLISH, ...SUBSCRIBE])],
} as const satisfies Record<Role, readonly string[]>;

/** Names of the commands that a role needs, in lower case, as `ACL` has them; as a client of a Redis Cluster with `isCluster`. */
export const commandsOf = (role: Role, isCluster = false): readonly string[] =>
	isCluster ? [...COMMANDS[role], ...CLUSTER] : COMMANDS[role];

/** The rules for `ACL SETUSER`, but for `on` and the password. Who may write anything may write the keys of one cluster only. */
export const aclRules = (role: Role, cluster: string, isCluster = false): readonly string[] => [
	`~${keysOf(cluster).leases.replace(/leases$/, "*")}`,
	...commandsOf(role, isCluster).map((command) => `+${command}`),
];
