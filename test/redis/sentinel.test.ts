/** The registry behind a Sentinel: a primary that dies, and its replica that takes over. */

import { expect, test } from "vitest";
import { configSchema } from "../../src/config/schema.js";
import { openRedisMember } from "../../src/fleet/redis/member.js";
import { eventually } from "../host/eventually.js";
import { lifetime } from "../host/lifetime.js";
import { freePort } from "../host/port.js";
import { startRedis } from "../host/redis.js";
import { current, join, put, sees, take } from "../registry-contract.js";

test("when the primary dies, or is told to step down, all is told to the next, and nobody is over", async () => {
	await using life = lifetime();
	const [first, second, watcher] = [await freePort(), await freePort(), await freePort()];
	const config = ["repl-diskless-sync-delay 0"];
	const primary = life.own(await startRedis({ port: first, config }));
	const replica = life.own(await startRedis({ port: second, config: [...config, `replicaof 127.0.0.1 ${first}`] }));
	await eventually("it is in sync", async () => {
		return (await replica.cli("INFO", "replication")).includes("master_link_status:up");
	});
	const sentinel = life.own(
		await startRedis({
			port: watcher,
			sentinel: true,
			config: [
				`sentinel monitor fleet 127.0.0.1 ${first} 1`,
				"sentinel down-after-milliseconds fleet 500",
				"sentinel failover-timeout fleet 3000",
			],
		}),
	);
	await eventually("the Sentinel knows the replica", async () => {
		return (await sentinel.cli("SENTINEL", "REPLICAS", "fleet")).includes(String(second));
	});
	const { fleet } = configSchema.parse({
		fleet: { redis: { sentinels: ["127.0.0.1:1", `127.0.0.1:${watcher}`], master: "fleet" } },
	});
	if (fleet === undefined) throw new Error("no fleet");
	let start = 0;
	const registry = {
		join: async (options: Parameters<typeof openRedisMember>[1]) =>
			life.own(openRedisMember(fleet, options, { boot: "boot", machine: "machine", start: ++start })),
		close: async () => {},
	};
	const [a, b] = [await join(registry, "a"), await join(registry, "b")];
	a.member.offer([put(80), put(81)]);
	a.member.settled();
	await sees(b, "a", { 80: 100, 81: 100 });

	await primary.kill();
	a.member.offer([take(80), put(82)]);
	const isPrimary = async (server: typeof primary) => (await server.cli("ROLE")).startsWith("master");
	await eventually("the replica is the primary", () => isPrimary(replica), { timeoutMs: 30_000 });
	await sees(b, "a", { 81: 100, 82: 100 });
	await current(a);

	// The one that died comes back, as a replica; then it is its turn.
	await primary.start();
	await eventually("it is a replica", async () => !(await isPrimary(primary)), { timeoutMs: 30_000 });
	await eventually("it is in sync", async () => {
		return (await primary.cli("INFO", "replication")).includes("master_link_status:up");
	});
	await eventually("the Sentinel turns it round", () => sentinel.cli("SENTINEL", "FAILOVER", "fleet"), {
		timeoutMs: 30_000,
		everyMs: 200,
	});
	await eventually("it is the primary again", () => isPrimary(primary), { timeoutMs: 30_000 });
	a.member.offer([put(83)]);
	await sees(b, "a", { 81: 100, 82: 100, 83: 100 });
	expect(b.changes.some(({ kind }) => kind === "over")).toBe(false);
});
