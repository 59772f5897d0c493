import { expect, test } from "vitest";
import { type RedisConfig, redisPlace, redisTrouble } from "../../../../src/fleet/redis/trouble.js";

const server: RedisConfig = { url: "redis://10.0.0.1:6379", sentinels: undefined, cluster: undefined };
const asUser: RedisConfig = { ...server, username: "edge", passwordFile: "/etc/solistend/redis" };
const coded = (code: string, message = code) => Object.assign(new Error(message), { code });

test("a place is named as people name it", () => {
	expect(redisPlace(server)).toBe("redis://10.0.0.1:6379");
	expect(redisPlace({ url: undefined, sentinels: ["a:1", "b:2"], cluster: undefined, master: "m" })).toBe(
		"m of the Sentinels at a:1, b:2",
	);
	expect(redisPlace({ url: undefined, sentinels: undefined, cluster: ["a:1"] })).toBe("the Redis Cluster at a:1");
});

test.each([
	[
		"WRONGPASS invalid username-password pair or user is disabled.",
		"does not take the password of user edge (see /etc",
	],
	["NOAUTH Authentication required.", "asks for a password, and did not get one (see /etc/solistend/redis)"],
	[
		"NOPERM this user has no permissions to run the 'xadd' command",
		"user edge of Redis lacks the right to xadd (give it +xadd",
	],
	// Redis 6.2
	["NOPERM this user has no permissions to run the 'xread' command or its subcommand", "lacks the right to xread "],
	// Redis 7.2
	[
		"ERR ACL failure in script: User edge has no permissions to run the 'hset' command script: 2d2, on @user_script:3.",
		"to hset ",
	],
	["NOPERM No permissions to access a key", "lacks the right to the keys of this cluster"],
	["ERR The user executing the script can't run this command or subcommand", "lacks a right that is needed"],
	[
		"OOM command not allowed when used memory > 'maxmemory'. script: 5b0, on @user_script:12.",
		"out of memory (raise its maxmemory",
	],
	// Redis 6.2
	[
		"ERR Error running script (call to f_5b0): @user_script:12: @user_script: 12: -OOM command not allowed",
		"out of memory",
	],
	["READONLY You can't write against a read only replica.", "is a replica and takes no writes"],
	["LOADING Redis is loading the dataset in memory", "still reads its database"],
	[
		"MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
		"see its log and its disk",
	],
	["NOREPLICAS Not enough good replicas to write.", "mend its replication"],
	["MOVED 3999 127.0.0.1:6381", "is a node of a Cluster (name some of its nodes in fleet.redis.cluster)"],
	["CLUSTERDOWN The cluster is down", "the Redis Cluster is down"],
	["ERR This instance has cluster support disabled", "set fleet.redis.url"],
	["ERR unknown command 'sentinel', with args beginning with: ", "is no Sentinel"],
	["ERR unknown command 'hset', with args beginning with: ", "does not know the command hset (6.2"],
	["WRONGTYPE Operation against a key holding the wrong kind of value", "of another type"],
	["Command timed out", "does not answer (redis://10.0.0.1:6379"],
	["something new", "Redis said: something new"],
])("%s", (text, words) => {
	expect(redisTrouble(new Error(text), asUser)).toContain(words);
});

const NOBODY = "All sentinels are unreachable and retry is disabled. Last error:";
const watched: RedisConfig = { url: undefined, sentinels: ["a:1", "b:2"], cluster: undefined };

test.each([
	[
		`${NOBODY} NOAUTH Authentication required.`,
		{},
		"the Sentinels at a:1, b:2 ask for a password (set fleet.redis.sent",
	],
	[
		`${NOBODY} WRONGPASS invalid username-password pair or user is disabled.`,
		{ sentinelUsername: "edge", sentinelPasswordFile: "/p" },
		"the Sentinels at a:1, b:2 do not take the password of user edge (see /p;",
	],
	[
		`${NOBODY} NOPERM User edge has no permissions to run the 'sentinel|get-master-addr-by-name' command`,
		{ sentinelUsername: "edge", sentinelPasswordFile: "/p" },
		"user edge of the Sentinels at a:1, b:2 lacks the right to ask for the primary",
	],
	[
		`${NOBODY} Connection is closed.`,
		{},
		"nobody tells where mymaster of the Sentinels at a:1, b:2 is (do the Sentinels run, know it, and speak no TLS? see",
	],
	[`${NOBODY} Connection is closed.`, { tls: true }, "and speak TLS, by these files? see fleet.redis"],
	["WRONGPASS invalid username-password pair", { username: "edge" }, "Redis does not take the password of user edge"],
])("of Sentinels: %s", (text, config, words) => {
	expect(redisTrouble(new Error(text), { ...watched, ...config })).toContain(words);
});

test("a password that is asked for and not configured is named as that", () => {
	expect(redisTrouble(new Error("NOAUTH Authentication required."), server)).toContain("set fleet.redis.passwordFile");
});

test.each([
	[coded("ECONNREFUSED"), "nobody listens at redis://10.0.0.1:6379"],
	[coded("ENOENT"), "there is no socket at"],
	[coded("EACCES"), "this user may not open"],
	[coded("ENOTFOUND"), "no address for the name"],
	[coded("EHOSTUNREACH"), "there is no way to"],
	[coded("ECONNRESET"), "does it expect TLS, or none?"],
	[
		coded("SELF_SIGNED_CERT_IN_CHAIN", "self-signed certificate in certificate chain"),
		"TLS with redis://10.0.0.1:6379 failed: self-signed",
	],
	[
		coded("ERR_TLS_CERT_ALTNAME_INVALID", "Hostname does not match"),
		"(see fleet.redis.tls: ca, cert, key, serverName)",
	],
])("%s", (error, words) => {
	expect(redisTrouble(error, server)).toContain(words);
});
