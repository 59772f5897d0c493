/** A user of Redis with the rights that docs/fleet.md gives it can do all of its role; with one less, it says which. */

import { writeFile } from "node:fs/promises";
import { join as pathOf } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { configSchema } from "../../../src/config/schema.js";
import { aclRules, commandsOf, type Role } from "../../../src/fleet/redis/acl.js";
import { openRedisMember } from "../../../src/fleet/redis/member.js";
import { eventually } from "../../host/eventually.js";
import { type Lifetime, lifetime } from "../../host/lifetime.js";
import { type RedisServer, startRedis } from "../../host/redis.js";
import {
	current,
	type Joined,
	join,
	put,
	type RegistryUnderTest,
	registryContract,
	sees,
} from "../../registry-contract.js";

const PASSWORD = "a password, for tests";

let redis: RedisServer;
beforeAll(async () => {
	redis = await startRedis();
	await writeFile(pathOf(redis.dir, "password"), `${PASSWORD}\n`);
});
afterAll(() => redis.close());

let users = 0;
/** A user of its own, in a cluster of its own, with the rights of a role less some. */
async function asUser(role: Role, without: readonly string[] = []): Promise<RegistryUnderTest & { cluster: string }> {
	const cluster = `c${++users}`;
	// not given, instead of taken away: Redis 6.2 takes no subcommand away
	const rules = aclRules(role, cluster).filter((rule) => !without.some((command) => rule === `+${command}`));
	await redis.cli("ACL", "SETUSER", `u${users}`, "reset", "on", `>${PASSWORD}`, ...rules);
	return { ...registryOf({ cluster, username: `u${users}` }), cluster };
}

let start = 0;
function registryOf({ cluster, username }: { cluster: string; username?: string }): RegistryUnderTest {
	const user = username === undefined ? {} : { username, passwordFile: pathOf(redis.dir, "password") };
	const { fleet } = configSchema.parse({ fleet: { redis: { url: redis.url, ...user }, cluster } });
	if (fleet === undefined) throw new Error("no fleet");
	return {
		join: async (options) => openRedisMember(fleet, options, { boot: "boot", machine: "machine", start: ++start }),
		close: async () => {},
	};
}

describe("with all rights of its role, and not one more,", () => {
	registryContract(() => asUser("both"));

	test("one publishes and one subscribes", async () => {
		await using life = lifetime();
		const host = await asUser("publish");
		const name = `u${++users}`;
		await redis.cli("ACL", "SETUSER", name, "on", `>${PASSWORD}`, ...aclRules("subscribe", host.cluster));
		const a = await joined(host, "a", "publish", life);
		const b = await joined(registryOf({ cluster: host.cluster, username: name }), "b", "subscribe", life);
		a.member.offer([put(80)]);
		a.member.settled();
		await sees(b, "a", { 80: 100 });
		await eventually("it has all", () => b.states.at(-1)?.state === "up");
		// That it is not connected yet may be said on a busy machine; that a right is missing may not.
		expect(troubles(b).filter((why) => !why.startsWith("not connected"))).toEqual([]);
	});
});

test("a user may not touch the keys of another cluster, and is told so", async () => {
	await using life = lifetime();
	await asUser("publish");
	const other = registryOf({ cluster: "other", username: `u${users}` });
	const a = await joined(other, "a", "publish", life);
	await eventually("it is frozen", () => troubles(a).some((why) => why.includes("lacks the right to the keys")));
});

const roles = ["publish", "subscribe"] as const;
describe.each(roles)("who is to %s", (role) => {
	// `ping` is for `doctor`.
	test.each(commandsOf(role).filter((command) => command !== "ping"))("and may not %s says so", async (command) => {
		await using life = lifetime();
		const registry = await asUser(role, [command]);
		await redis.cli("SCRIPT", "FLUSH");
		const other = await joined(registryOf({ cluster: registry.cluster }), "other", "publish", life);
		other.member.offer([put(90)]);
		await current(other);
		// What they have in common is in Redis now, but what only this role asks.
		if (command === "eval") await redis.cli("SCRIPT", "FLUSH");
		const one = await joined(registry, "one", role, life);
		// Redis 7.0 tells no subcommand of what a script may not do
		const words = [command, command.split("|")[0]].map((name) => `lacks the right to ${name} `);
		const isNamed = () => troubles(one).some((why) => words.some((word) => why.includes(word)));
		const settle = (what: string, isDone: () => boolean) => eventually(what, () => isNamed() || isDone());
		one.member.offer([put(80), put(81)]);
		await settle("it is told", () => role === "publish" && isCurrent(one));
		one.member.offer([{ kind: "take", key: "web|10.0.0.1:80", why: "closed" }]);
		await settle("it is told", () => role === "publish" && isCurrent(one));
		if (!isNamed()) await one.member.drain(true);
		if (!isNamed()) await one.member.drain(true);
		expect(troubles(one)).toSatisfy(isNamed);
	});
});

const joined = async (registry: RegistryUnderTest, name: string, role: Role, life: Lifetime): Promise<Joined> => {
	const options = { publish: role !== "subscribe", subscribe: role !== "publish", drainTimeout: () => 60_000 };
	const one = await join(registry, name, options);
	life.own(one.member);
	return one;
};
const isCurrent = ({ member }: Joined): boolean => member.status().publishing.state === "current";
const troubles = ({ states }: Joined): string[] =>
	states.flatMap((state) => (state.state === "frozen" ? [state.why] : []));
