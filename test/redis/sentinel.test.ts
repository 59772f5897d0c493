/** The registry behind a Sentinel: a primary that dies, and its replica that takes over. */

import { writeFile } from "node:fs/promises";
import { join as pathOf } from "node:path";
import { execa } from "execa";
import { expect, test } from "vitest";
import { configSchema } from "../../src/config/schema.js";
import { openLink } from "../../src/fleet/redis/connect.js";
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

/** A link to a primary by its Sentinel: what it was told of last, and its connection. */
async function asked(sentinel: object) {
	const told: string[] = [];
	const { fleet } = configSchema.parse({ fleet: { redis: { master: "fleet", ...sentinel } } });
	if (fleet === undefined) throw new Error("no fleet");
	const link = openLink(fleet.redis, {
		purpose: "commands",
		onUp: () => told.push("up"),
		onDown: (why) => told.push(why),
	});
	return { told, link, close: async () => link.close() };
}

test("a Sentinel that asks for a password, for a user's rights or for TLS of its own is asked with them", async () => {
	await using life = lifetime();
	const [port, plain, encrypted] = [await freePort(), await freePort(), await freePort()];
	const { dir } = life.own(await startRedis({ port }));
	const [ca, key] = [pathOf(dir, "ca.pem"), pathOf(dir, "key.pem")];
	const made = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=sentinel"];
	const files = ["-keyout", key, "-out", ca, "-days", "2", "-addext", "subjectAltName=IP:127.0.0.1"];
	await execa("openssl", ["req", ...made, ...files], { stdin: "ignore" });
	life.own(
		await startRedis({
			port: plain,
			sentinel: true,
			config: [
				`sentinel monitor fleet 127.0.0.1 ${port} 1`,
				"requirepass secret",
				"user edge on >own allchannels +sentinel|get-master-addr-by-name +sentinel|sentinels",
				"user blind on >own +ping",
				`tls-port ${encrypted}`,
				`tls-cert-file ${ca}`,
				`tls-key-file ${key}`,
				`tls-ca-cert-file ${ca}`,
			],
		}),
	);
	const [secret, own] = [pathOf(dir, "secret"), pathOf(dir, "own")];
	await writeFile(secret, "secret\n");
	await writeFile(own, "own\n");
	const isTold = async (sentinel: object, words: string) => {
		const { told } = life.own(await asked(sentinel));
		await eventually(words, () => {
			if (told.some((word) => word.includes(words))) return true;
			throw new Error(`it is told ${told.at(-1)}`);
		});
	};
	const sentinels = [`127.0.0.1:${plain}`];
	await isTold({ sentinels }, "ask for a password (set fleet.redis.sentinelPasswordFile");
	await isTold({ sentinels, sentinelPasswordFile: own }, `do not take the password of user default (see ${own};`);
	await isTold({ sentinels, sentinelPasswordFile: "/nowhere" }, "cannot read /nowhere: ENOENT");
	await isTold({ sentinels, sentinelPasswordFile: secret }, "up");
	await isTold({ sentinels, sentinelUsername: "edge", sentinelPasswordFile: own }, "up");
	await isTold({ sentinels, sentinelUsername: "blind", sentinelPasswordFile: own }, "lacks the right to ask for the");
	const tls = { sentinels: [`127.0.0.1:${encrypted}`], sentinelPasswordFile: secret };
	await isTold({ ...tls, sentinelTls: true }, "and speak TLS, by these files? see fleet.redis");
	await isTold({ ...tls, sentinelTls: { ca, cert: ca, key } }, "up");
});
