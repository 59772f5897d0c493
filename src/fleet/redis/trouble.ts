/**
 * What goes wrong with Redis, in words: what, where, and how to mend it. For `status`, `doctor` and the log alike. Pure.
 */

import type { FleetConfig } from "../../config/schema.js";
import { messageOf } from "../../errors.js";

/** `fleet.redis`, in any of its forms. */
export interface RedisConfig extends Pick<FleetConfig["redis"], "url" | "sentinels" | "cluster"> {
	readonly master?: string;
	readonly username?: string | undefined;
	readonly passwordFile?: string | undefined;
	readonly tls?: boolean | RedisTls;
	readonly sentinelUsername?: string | undefined;
	readonly sentinelPasswordFile?: string | undefined;
	readonly sentinelTls?: boolean | RedisTls | undefined;
}

export interface RedisTls {
	readonly ca?: string | undefined;
	readonly cert?: string | undefined;
	readonly key?: string | undefined;
	readonly serverName?: string | undefined;
}

/** Where Redis is, as people name it. */
export function redisPlace({ url, sentinels, cluster, master = "mymaster" }: RedisConfig): string {
	if (sentinels !== undefined) return `${master} of the Sentinels at ${sentinels.join(", ")}`;
	return cluster === undefined ? (url ?? "") : `the Redis Cluster at ${cluster.join(", ")}`;
}

export const speaksTls = ({ url, tls = false }: RedisConfig): boolean =>
	tls !== false || url?.toLowerCase().startsWith("rediss:") === true;

type Words = (facts: { config: RedisConfig; place: string; text: string; match: RegExpExecArray }) => string;

/**
 * By what an error says; the first that fits. Redis 6.2 wraps the errors of commands within scripts in words of its own,
 * so that their codes may be anywhere.
 */
const BY_TEXT: readonly (readonly [pattern: RegExp, words: Words])[] = [
	[
		/All sentinels are unreachable.*\b(?:WRONGPASS|NOAUTH)\b/s,
		({ config: { sentinels = [], sentinelUsername = "default", sentinelPasswordFile } }) => {
			const what = `the Sentinels at ${sentinels.join(", ")}`;
			return sentinelPasswordFile === undefined
				? `${what} ask for a password (set fleet.redis.sentinelPasswordFile, and sentinelUsername where it is not default)`
				: `${what} do not take the password of user ${sentinelUsername} (see ${sentinelPasswordFile}; the user may be unknown or off, too)`;
		},
	],
	[
		/All sentinels are unreachable.*\bNOPERM\b/s,
		({ config: { sentinels = [], sentinelUsername = "default" } }) =>
			`user ${sentinelUsername} of the Sentinels at ${sentinels.join(", ")} lacks the right to ask for the primary (docs/fleet.md has the ACL line)`,
	],
	[
		/\b(?:WRONGPASS|invalid username-password)/,
		({ config: { username = "default", passwordFile } }) =>
			`Redis does not take the password of user ${username} (see ${passwordFile ?? "fleet.redis.passwordFile"}; the user may be unknown or off, too)`,
	],
	[
		/\bNOAUTH\b/,
		({ config: { passwordFile } }) =>
			passwordFile === undefined
				? "Redis asks for a password (set fleet.redis.passwordFile, and username where it is not default)"
				: `Redis asks for a password, and did not get one (see ${passwordFile})`,
	],
	[
		/no permissions to run the '([^']+)' command/,
		({ config: { username = "default" }, match: [, command = ""] }) =>
			`user ${username} of Redis lacks the right to ${command} (give it +${command}; docs/fleet.md has the whole ACL line)`,
	],
	[
		/NOPERM|ACL failure in script|can't run this command or subcommand/,
		({ config: { username = "default" }, text }) =>
			/\bkeys?\b/.test(text) && !/can't run/.test(text)
				? `user ${username} of Redis lacks the right to the keys of this cluster (give it their pattern; docs/fleet.md has the whole ACL line)`
				: `user ${username} of Redis lacks a right that is needed (docs/fleet.md has the whole ACL line)`,
	],
	[/\bOOM\b/, () => "Redis is out of memory (raise its maxmemory, or free some; the fleet itself needs little)"],
	[/\bREADONLY\b/, () => "Redis is a replica and takes no writes (name its primary in fleet.redis, or the Sentinels)"],
	[/\bLOADING\b/, () => "Redis still reads its database from disk (wait; it serves when that is done)"],
	[/\bMISCONF\b/, () => "Redis can't write its database to disk and takes no writes (see its log and its disk)"],
	[/\bBUSY\b/, () => "Redis is busy with a script of somebody else (see its log; SCRIPT KILL ends it)"],
	[/\b(?:MASTERDOWN|NOREPLICAS)\b/, ({ text }) => `Redis takes no writes: ${text} (mend its replication)`],
	[/\bCLUSTERDOWN\b/, () => "the Redis Cluster is down (see CLUSTER INFO on one of its nodes)"],
	[/\b(?:MOVED|ASK) \d+ /, () => "Redis is a node of a Cluster (name some of its nodes in fleet.redis.cluster)"],
	[/cluster support disabled/, () => "Redis is no Cluster (set fleet.redis.url instead of cluster)"],
	[
		/unknown command '?`?sentinel/i,
		({ config }) => `what answers at ${config.sentinels?.join(", ")} is no Sentinel (see fleet.redis.sentinels)`,
	],
	[
		/unknown command '?`?(\w+)/i,
		({ match: [, command = ""] }) =>
			`Redis does not know the command ${command} (6.2 or later is needed; or it was renamed there)`,
	],
	[
		/WRONGTYPE(?: at key (\S+))?/,
		({ match: [, key = "a key of this cluster"] }) =>
			`${key} in Redis is of another type (delete it; somebody else writes there: see docs/fleet.md)`,
	],
	[/max number of clients/, () => "Redis has as many clients as it takes (raise its maxclients)"],
	[
		/All sentinels are unreachable/,
		({ config: { tls = false, sentinelTls = tls }, place }) =>
			`nobody tells where ${place} is (do the Sentinels run, know it, and speak ${sentinelTls === false ? "no TLS" : "TLS, by these files"}? see fleet.redis)`,
	],
	[
		/Command timed out|Socket timeout/,
		({ place }) => `Redis does not answer (${place}: is it overloaded, or stopped?)`,
	],
	[
		/ETIMEDOUT/,
		({ config, place }) =>
			`no answer from ${place} (is it up, ${speaksTls(config) ? "does it speak TLS, " : ""}and does a firewall let this host through?)`,
	],
];

/** By the code of a system call, or of TLS. */
const BY_CODE: Readonly<Record<string, (place: string) => string>> = {
	ECONNREFUSED: (place) => `nobody listens at ${place} (does Redis run there? see fleet.redis)`,
	ENOENT: (place) => `there is no socket at ${place} (does Redis run, with this unixsocket?)`,
	EACCES: (place) => `this user may not open ${place} (see unixsocketperm of Redis, and the groups of this user)`,
	ENOTFOUND: (place) => `there is no address for the name in ${place} (see fleet.redis, and DNS)`,
	EAI_AGAIN: (place) => `DNS does not answer for the name in ${place} (see /etc/resolv.conf)`,
	EHOSTUNREACH: (place) => `there is no way to ${place} (see the routes and firewalls of this host)`,
	ENETUNREACH: (place) => `there is no way to ${place} (see the routes of this host)`,
	ECONNRESET: (place) => `${place} dropped the connection (does it expect TLS, or none? see fleet.redis.tls)`,
	EPIPE: (place) => `${place} dropped the connection`,
};

/** Why something failed, as a clause with its mend; of anything that a `Link` throws or tells. */
export function redisTrouble(error: unknown, config: RedisConfig): string {
	const place = redisPlace(config);
	const text = messageOf(error);
	for (const [pattern, words] of BY_TEXT) {
		const match = pattern.exec(text);
		if (match !== null) return words({ config, place, text, match });
	}
	const code = error instanceof Error && "code" in error ? String(error.code) : "";
	const byCode = BY_CODE[code];
	if (byCode !== undefined) return byCode(place);
	if (/CERT|SSL|TLS|SELF_SIGNED|UNABLE_TO|EPROTO/.test(code)) {
		return `TLS with ${place} failed: ${text} (see fleet.redis.tls: ca, cert, key, serverName)`;
	}
	return `Redis said: ${text}`;
}
