import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { stringify } from "yaml";
import type { Finding } from "../../src/cli/finding.js";
import { fleetFindings } from "../../src/cli/fleet-finding.js";
import { TRIED } from "../../src/cli/fleet-rights.js";
import { parseConfig } from "../../src/config/load.js";
import { aclRules, commandsOf } from "../../src/fleet/redis/acl.js";
import { keysOf } from "../../src/fleet/redis/keys.js";
import { type RedisServer, startRedis } from "../host/redis.js";

/** What doctor says by the name of each line, of a host with this `fleet`. */
async function findings(fleet: object, settings: object = {}): Promise<Readonly<Record<string, Finding>>> {
	const loaded = parseConfig(stringify({ host: "app-1", fleet, ...settings }), "solistend.yaml");
	if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
	return Object.fromEntries((await fleetFindings(loaded.config)).map((one) => [one.name.replace("fleet: ", ""), one]));
}

/** Adds a user with these rules; the `redis` of a configuration that is this user. */
async function user(redis: RedisServer, ...rules: readonly string[]) {
	await redis.cli("ACL", "SETUSER", "fleet", "on", ">secret", ...rules);
	const passwordFile = join(redis.dir, "password");
	await writeFile(passwordFile, "secret\n");
	return { url: redis.url, username: "fleet", passwordFile };
}

test("doctor says nothing of a fleet where there is none", async () => {
	const loaded = parseConfig("", "solistend.yaml");
	expect(loaded.ok && (await fleetFindings(loaded.config))).toEqual([]);
});

test("doctor finds all well with the least rights, tries each of them, and leaves nothing behind", async () => {
	expect([...TRIED].sort()).toEqual([...commandsOf("both", true)].sort());
	await using redis = await startRedis();
	const found = await findings(
		{ redis: await user(redis, ...aclRules("both", "main")), cluster: "main", advertise: ["10.0.0.0/8"] },
		{},
	);
	const states = Object.entries(found).map(([name, { state }]) => [name, state]);
	expect(states).toEqual(
		["Redis", "rights", "eviction", "persistence", "clock", "name", "advertise"].map((name) => [name, "ok"]),
	);
	expect(found["Redis"]?.detail).toMatch(/^\d+\.\d+\.\d+ at unix:\/\/\//);
	expect(found["eviction"]?.detail).toMatch(/^unknown, as this user may not ask \(/);
	expect(await redis.cli("DBSIZE")).toBe("0");
});

test("doctor names the rights that a user lacks, with the whole line that gives them", async () => {
	await using redis = await startRedis();
	const rules = aclRules("publish", "default");
	const config = await user(redis, ...rules.filter((rule) => rule !== "+xadd" && rule !== "+hdel"));
	const { rights } = await findings({ redis: config, subscribe: false });
	expect(rights?.state).toBe("failed");
	expect(rights?.detail).toBe(
		`user fleet may not hdel, xadd on the keys of this cluster (ACL SETUSER fleet ${rules.join(" ")})`,
	);
	const other = await findings({ redis: config, cluster: "other", publish: false });
	expect(other["rights"]).toMatchObject({
		state: "failed",
		detail: expect.stringMatching(
			/^user fleet may not .*zadd.* on the keys of this cluster \(.* ~\{solistend:other\}:\* /,
		),
	});
});

test("doctor says that Redis is not there, or does not take the password, and asks no further", async () => {
	await using redis = await startRedis();
	const config = await user(redis, ...aclRules("both", "default"));
	await redis.cli("ACL", "SETUSER", "fleet", "resetpass", ">other");
	const wrong = await findings({ redis: config, publish: false });
	expect(Object.keys(wrong)).toEqual(["Redis"]);
	expect(wrong["Redis"]).toMatchObject({ state: "failed", detail: expect.stringContaining("password of user fleet") });
	await redis.kill();
	const gone = await findings({ redis: redis.url, publish: false });
	expect(gone["Redis"]).toMatchObject({ state: "failed", detail: expect.stringContaining("fleet.redis") });
});

test("doctor says that Redis would throw hosts away when it is full", async () => {
	await using redis = await startRedis({ config: ["maxmemory-policy allkeys-lru"] });
	const { eviction, persistence } = await findings({ redis: redis.url });
	expect(eviction).toMatchObject({ state: "failed", detail: expect.stringContaining("allkeys-lru: Redis throws") });
	expect(persistence).toMatchObject({ state: "ok", detail: expect.stringContaining("append-only file off") });
});

test("doctor says that another machine has this host's name, while its lease lives", async () => {
	await using redis = await startRedis();
	const { host, leases } = keysOf("default");
	const nameFound = async () => (await findings({ redis: redis.url }))["name"];
	expect(await nameFound()).toMatchObject({ state: "ok", detail: "app-1, which nobody tells for yet" });
	await redis.cli("HSET", host("app-1"), "@machine", "another");
	await redis.cli("ZADD", leases, String(Date.now() + 60_000), "app-1");
	expect(await nameFound()).toMatchObject({
		state: "failed",
		detail: expect.stringMatching(/another machine.*host\)$/),
	});
	await redis.cli("ZADD", leases, String(Date.now() - 60_000), "app-1");
	expect(await nameFound()).toMatchObject({ state: "ok" });
});

test("doctor says what would make a host's backends unknown to others, or its password known to anyone", async () => {
	const redis = { url: "redis://192.0.2.1:1", username: "u", passwordFile: "/nonexistent" };
	const { advertise, encryption } = await findings({ redis });
	expect(advertise).toMatchObject({ state: "ok", detail: expect.stringContaining("without discovery.docker") });
	expect(encryption).toMatchObject({ state: "degraded", detail: expect.stringContaining("rediss://") });
	const unix = await findings({ redis: "unix:///nonexistent" }, { discovery: { docker: "unix:///nonexistent" } });
	expect(unix["advertise"]).toMatchObject({
		state: "degraded",
		detail: expect.stringContaining("tells no address of this host"),
	});
	for (const url of ["redis://127.0.0.1:1", "redis://[::1]:1", "redis://localhost:1", "unix:///nonexistent"]) {
		expect((await findings({ redis: url }))["encryption"]).toBeUndefined();
	}
	expect((await findings({ redis: { ...redis, url: "rediss://192.0.2.1:1" } }))["encryption"]).toMatchObject({
		state: "ok",
	});
});
