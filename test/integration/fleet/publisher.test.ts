/** The telling half against a real Redis that fails in every way it can: what is in Redis at the end is what is offered. */

import { copyFile } from "node:fs/promises";
import { join as pathOf } from "node:path";
import { expect, test } from "vitest";
import { configSchema } from "../../../src/config/schema.js";
import { keysOf } from "../../../src/fleet/redis/keys.js";
import { openRedisMember } from "../../../src/fleet/redis/member.js";
import type { ProcessIdentity } from "../../../src/fleet/redis/process-identity.js";
import { eventually } from "../../host/eventually.js";
import { lifetime } from "../../host/lifetime.js";
import { freePort } from "../../host/port.js";
import { type RedisServer, startRedis } from "../../host/redis.js";
import { current, type Joined, type JoinOptions, join, put, sees, take } from "../../registry-contract.js";

const keys = keysOf("default");
const LEASE_MS = 1000;

function hostsOf(redis: Pick<RedisServer, "url">, life: ReturnType<typeof lifetime>) {
	const { fleet } = configSchema.parse({ fleet: { redis: redis.url } });
	if (fleet === undefined) throw new Error("no fleet");
	return (name: string, identity: Partial<ProcessIdentity> = {}, options: JoinOptions = {}) =>
		join(
			{
				join: async (member) =>
					life.own(openRedisMember(fleet, member, { boot: "boot", machine: "machine", start: 1, ...identity })),
				close: async () => {},
			},
			name,
			{ lease: LEASE_MS, subscribe: false, ...options },
		);
}

/** Ports that Redis has of a host. */
async function stored(redis: RedisServer, host = "a"): Promise<number[]> {
	const fields = (await redis.cli("HKEYS", keys.host(host))).split("\n");
	return fields
		.flatMap((field) => (field.startsWith("web|") ? [Number(field.split(":")[1])] : []))
		.sort((x, y) => x - y);
}
const stores = (redis: RedisServer, ports: readonly number[]) =>
	eventually(`${ports} are in Redis`, async () => (await stored(redis)).join() === ports.join());
/** How often Redis did not do what a script wanted, since it started. */
async function refusedScripts(redis: RedisServer): Promise<number> {
	const [, calls] = /^cmdstat_evalsha:.*failed_calls=(\d+)/m.exec(await redis.cli("INFO", "commandstats")) ?? [];
	return Number(calls ?? 0);
}
const why = ({ member }: Joined): string => {
	const { publishing } = member.status();
	return "why" in publishing ? publishing.why : "";
};

test("Redis that is emptied has all again within a lease, and what is emptied and changed at once, too", async () => {
	await using life = lifetime();
	const redis = life.own(await startRedis());
	const a = await hostsOf(redis, life)("a");
	a.member.offer([put(80), put(81)]);
	a.member.settled();
	await current(a);
	await redis.cli("FLUSHALL");
	await stores(redis, [80, 81]);
	await redis.cli("FLUSHALL");
	a.member.offer([take(80), put(82)]);
	await stores(redis, [81, 82]);
	expect(await redis.cli("ZCARD", keys.leases)).toBe("1");
});

test("an old backup that is restored is written over, by a newer incarnation and never by what it holds", async () => {
	await using life = lifetime();
	const redis = life.own(await startRedis());
	const a = await hostsOf(redis, life)("a");
	a.member.offer([put(80), put(81)]);
	a.member.settled();
	await current(a);
	await redis.cli("SAVE");
	const dump = pathOf(redis.dir, "dump.rdb");
	await copyFile(dump, `${dump}.old`);
	const before = Number(await redis.cli("HGET", keys.host("a"), "@incarnation"));
	a.member.offer([take(80), put(82)]);
	await stores(redis, [81, 82]);
	await redis.kill();
	await copyFile(`${dump}.old`, dump);
	await redis.start();
	await stores(redis, [81, 82]);
	await current(a);
	expect(Number(await redis.cli("HGET", keys.host("a"), "@incarnation"))).toBeGreaterThan(before);
});

test("a change without an answer is told with a newer incarnation: its number may be known to others", async () => {
	await using life = lifetime();
	const redis = life.own(await startRedis());
	// none of its renewals may be on its way as Redis is stopped: the change would wait behind it, and never be sent
	const a = await hostsOf(redis, life)("a", {}, { lease: 60_000 });
	a.member.offer([put(80)]);
	a.member.settled();
	await current(a);
	await redis.cli("SAVE");
	const before = Number(await redis.cli("HGET", keys.host("a"), "@incarnation"));
	redis.pause();
	a.member.offer([put(81)]);
	await redis.kill();
	a.member.offer([put(82)]);
	await redis.start();
	await stores(redis, [80, 81, 82]);
	expect(Number(await redis.cli("HGET", keys.host("a"), "@incarnation"))).toBeGreaterThan(before);
});

test("a process that was paused while a later one took over is fenced, and asks again when that one is gone", async () => {
	await using life = lifetime();
	const redis = life.own(await startRedis());
	const open = hostsOf(redis, life);
	const old = await open("a", { start: 1 });
	old.member.offer([put(80)]);
	await current(old);
	const later = await open("a", { start: 2 });
	later.member.offer([put(81)]);
	later.member.settled();
	await current(later);
	old.member.offer([put(82)]);
	await eventually("the old one is refused", () => old.member.status().publishing.state === "refused");
	expect(why(old)).toContain("a later daemon on this machine");
	expect(await stored(redis)).toEqual([81]);
	await later.member.close();
	await current(old);
	await stores(redis, [80, 82]);
});

test("another machine of the same name is told so, and takes over when the lease ends", async () => {
	await using life = lifetime();
	const redis = life.own(await startRedis());
	const open = hostsOf(redis, life);
	const first = await open("a");
	first.member.offer([put(80)]);
	await current(first);
	const other = await open("a", { machine: "other", boot: "other" });
	other.member.offer([put(90)]);
	other.member.settled();
	await eventually("it is refused", () => other.member.status().publishing.state === "refused");
	expect(why(other)).toBe("another host calls itself a (give one of the two another name with host:)");
	expect(await other.member.drain(true)).toContain("another host calls itself a");
	expect(await other.member.drain(false)).toContain("another host calls itself a");
	expect(await stored(redis)).toEqual([80]);
	await first.member.close();
	await current(other);
	expect(await stored(redis)).toEqual([90]);
});

test("a machine that booted again takes over at once; of two clones the one that was told off stays so", async () => {
	await using life = lifetime();
	const redis = life.own(await startRedis());
	const open = hostsOf(redis, life);
	const before = await open("a", { boot: "first", start: 500 });
	before.member.offer([put(80)]);
	await current(before);
	const after = await open("a", { boot: "second", start: 3 });
	await current(after);
	// Nothing of what listened before listens since.
	expect(await stored(redis)).toEqual([]);
	after.member.offer([put(90)]);
	await stores(redis, [90]);
	before.member.offer([put(81)]);
	await eventually("it is refused", () => before.member.status().publishing.state === "refused");
	expect(why(before)).toContain("another host calls itself a");
	expect(await stored(redis)).toEqual([90]);
});

test("a host goes on draining after it booted again, and another machine that gets its name does not", async () => {
	await using life = lifetime();
	const redis = life.own(await startRedis());
	const open = hostsOf(redis, life);
	const before = await open("a", { boot: "first" });
	before.member.offer([put(80)]);
	await current(before);
	await before.member.drain(true);
	const after = await open("a", { boot: "second" });
	await current(after);
	expect(after.member.status().draining).toBe(true);
	const name = "b";
	const gone = await open(name, { machine: "gone", boot: "gone" });
	gone.member.offer([put(90)]);
	await current(gone);
	await gone.member.close();
	// It drained, and crashed a lease ago.
	const about = await redis.cli("HGET", keys.host(name), "@about");
	await redis.cli("HSET", keys.host(name), "@about", about.replace('"draining":false', '"draining":true'));
	await redis.cli("ZADD", keys.leases, "1", name);
	const heir = await open(name, { machine: "heir", boot: "heir" });
	await current(heir);
	expect(heir.member.status().draining).toBe(false);
	expect(await stored(redis, name)).toEqual([]);
});

test("a Redis without memory freezes what is told, and has it when that is mended", async () => {
	await using life = lifetime();
	const redis = life.own(await startRedis());
	const a = await hostsOf(redis, life)("a");
	a.member.offer([put(80)]);
	await current(a);
	await redis.cli("CONFIG", "SET", "maxmemory", "1");
	a.member.offer([put(81)]);
	await eventually("it is frozen", () => why(a).includes("out of memory (raise its maxmemory"));
	expect(a.member.status().registry).toMatchObject({ state: "frozen", why: why(a) });
	expect(await stored(redis)).toEqual([80]);
	await redis.cli("CONFIG", "SET", "maxmemory", "0");
	await stores(redis, [80, 81]);
	await eventually("it is well", () => a.member.status().registry.state === "up");
	expect(a.states.map(({ state }) => state)).toEqual(["up", "frozen", "up"]);
});

test("a replica takes nothing, says so, and takes it once it is the primary", async () => {
	await using life = lifetime();
	const primary = life.own(await startRedis({ port: await freePort(), config: ["repl-diskless-sync-delay 0"] }));
	const redis = life.own(await startRedis());
	const a = await hostsOf(redis, life)("a");
	a.member.offer([put(80)]);
	await current(a);
	const port = (await primary.cli("CONFIG", "GET", "port")).split("\n")[1] ?? "";
	await redis.cli("REPLICAOF", "127.0.0.1", port);
	await eventually("it is in sync", async () => (await redis.cli("INFO", "replication")).includes("link_status:up"));
	a.member.offer([put(81)]);
	const isReplica = "is a replica and takes no writes";
	await eventually("it is frozen", () => why(a).includes(isReplica));
	const tries = await refusedScripts(redis);
	await eventually("it has tried again and again", async () => (await refusedScripts(redis)) >= tries + 8);
	// other connections, on which it looks for the primary, change nothing of what it says
	expect(a.states.slice(1)).toEqual([expect.objectContaining({ why: expect.stringContaining(isReplica) })]);
	await redis.cli("REPLICAOF", "NO", "ONE");
	await stores(redis, [80, 81]);
	await current(a);
});

test("what changes while Redis is stopped, or dead, is told as one when it is back", async () => {
	await using life = lifetime();
	const redis = life.own(await startRedis());
	const open = hostsOf(redis, life);
	const a = await open("a");
	const b = await open("b", {}, { subscribe: true });
	a.member.offer([put(80)]);
	a.member.settled();
	await sees(b, "a", { 80: 100 });
	redis.pause();
	a.member.offer([put(81)]);
	await eventually("it is frozen", () => why(a).includes("does not answer"));
	a.member.offer([take(80), put(82)]);
	redis.resume();
	await stores(redis, [81, 82]);
	await sees(b, "a", { 81: 100, 82: 100 });
	await redis.kill();
	a.member.offer([take(81)]);
	await eventually("it is frozen", () => why(a).includes("nobody listens at unix://"));
	await redis.start();
	await stores(redis, [82]);
	await sees(b, "a", { 82: 100 });
	expect(b.offersOf("a")).toEqual({ 82: 100 });
});

test("what is too long for one entry of the stream is read from the hash", async () => {
	await using life = lifetime();
	const redis = life.own(await startRedis());
	const open = hostsOf(redis, life);
	const b = await open("b", {}, { subscribe: true });
	const a = await open("a");
	const ports = Array.from({ length: 2000 }, (_, i) => 10_000 + i);
	a.member.offer(ports.map((port) => put(port)));
	await sees(b, "a", Object.fromEntries(ports.map((port) => [port, 100])));
	const entries = await redis.cli("XRANGE", keys.changes, "-", "+");
	expect(entries.length).toBeLessThan(5000);
});

test("a daemon that starts while Redis is down keeps what it offers until it can tell it", async () => {
	await using life = lifetime();
	const redis = life.own(await startRedis());
	await redis.kill();
	const a = await hostsOf(redis, life)("a");
	a.member.offer([put(80)]);
	a.member.settled();
	await eventually("it is frozen", () => why(a).includes("nobody listens at unix://"));
	expect(await a.member.drain(true)).toMatch(/nobody listens .*; it is told as soon as that is mended$/);
	await redis.start();
	await current(a);
	expect(await redis.cli("HGET", keys.host("a"), "@about")).toContain('"draining":true');
});

test("a name that is taken by a value of another type is told, and mended by an operator", async () => {
	await using life = lifetime();
	const redis = life.own(await startRedis());
	await redis.cli("SET", keys.host("a"), "somebody else's");
	const a = await hostsOf(redis, life)("a");
	await eventually("it is frozen", () => why(a).includes("another type"));
	await redis.cli("DEL", keys.host("a"));
	await current(a);
});
