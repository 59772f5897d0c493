/** Connections to a real Redis: where it is, who asks, and TLS; and that they come back. */

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { expect, test } from "vitest";
import { type Link, openLink } from "../../../src/fleet/redis/connect.js";
import { script } from "../../../src/fleet/redis/script.js";
import type { RedisConfig } from "../../../src/fleet/redis/trouble.js";
import { eventually } from "../../host/eventually.js";
import { type Lifetime, lifetime } from "../../host/lifetime.js";
import { freePort } from "../../host/port.js";
import { startRedis } from "../../host/redis.js";

interface Watched {
	readonly link: Link;
	/** `up`, or why it went down. */
	readonly told: string[];
}

function watch(config: Partial<RedisConfig>, life: Lifetime): Watched {
	const told: string[] = [];
	const link = openLink(
		{ url: undefined, sentinels: undefined, cluster: undefined, ...config },
		{ purpose: "commands", onUp: () => told.push("up"), onDown: (why) => told.push(why) },
	);
	life.own({ close: async () => link.close() });
	return { link, told };
}
const isTold = ({ told }: Watched, words: string) => eventually(words, () => told.find((word) => word.includes(words)));

test("it is asked over TCP, a database of its own, and over a unix socket", async () => {
	await using life = lifetime();
	const port = await freePort();
	const redis = life.own(await startRedis({ port }));
	const tcp = watch({ url: `redis://127.0.0.1:${port}/3` }, life);
	await isTold(tcp, "up");
	expect(tcp.link.localAddress()).toBe("127.0.0.1");
	await tcp.link.send(["set", "a", "b"]);
	expect(await redis.cli("-n", "3", "GET", "a")).toBe("b");
	const unix = watch({ url: redis.url }, life);
	await isTold(unix, "up");
	expect(unix.link.localAddress()).toBeUndefined();
	expect(await unix.link.send(["get", "a"])).toBeNull();
});

test("one that is closed before Redis has taken its password is not up when it has", async () => {
	await using life = lifetime();
	const port = await freePort();
	const redis = life.own(await startRedis({ port }));
	await redis.cli("ACL", "SETUSER", "fleet", "on", ">secret", "~*", "+@all");
	const passwordFile = join(redis.dir, "password");
	await writeFile(passwordFile, "secret");
	redis.pause();
	const { link, told } = watch({ url: `redis://127.0.0.1:${port}`, username: "fleet", passwordFile }, life);
	await eventually("the kernel has connected it", () => link.localAddress());
	link.close();
	redis.resume();
	await eventually("Redis is rid of it", async () => {
		return !(await redis.cli("CLIENT", "LIST")).includes(` laddr=127.0.0.1:${port} `);
	});
	expect(told).toEqual([]);
	expect(link.isUp).toBe(false);
});

test("a script is given to Redis once, and again where Redis forgot it", async () => {
	await using life = lifetime();
	const redis = life.own(await startRedis());
	const { link } = watch({ url: redis.url }, life);
	const double = script("return ARGV[1] * 2");
	await eventually("connected", () => link.isUp);
	expect(await link.run(double, [], [21])).toBe(42);
	await redis.cli("SCRIPT", "FLUSH");
	expect(await link.run(double, [], [4])).toBe(8);
	expect(await redis.cli("SCRIPT", "EXISTS", double.sha1)).toBe("1");
});

test("nothing waits for a connection: what is asked meanwhile fails at once, and says why there is none", async () => {
	await using life = lifetime();
	const redis = life.own(await startRedis());
	const watched = watch({ url: redis.url }, life);
	const { link } = watched;
	const early = await link.send(["ping"]).catch((error: unknown) => link.why(error));
	expect(early).toContain(`not connected to ${redis.url} yet`);
	await isTold(watched, "up");
	await redis.kill();
	await isTold(watched, "nobody listens at unix://");
	expect(await link.send(["ping"]).catch((error: unknown) => link.why(error))).toContain("nobody listens at unix://");
	await redis.start();
	expect(await eventually("it is back", () => link.send(["ping"]))).toBe("PONG");
});

test("a password is read again with each connection", async () => {
	await using life = lifetime();
	const redis = life.own(await startRedis({ config: ["requirepass new"] }));
	const passwordFile = join(redis.dir, "password");
	const watched = watch({ url: redis.url, passwordFile }, life);
	await isTold(watched, `cannot read ${passwordFile}: ENOENT`);
	await writeFile(passwordFile, "old\n");
	await isTold(watched, `does not take the password of user default (see ${passwordFile};`);
	await writeFile(passwordFile, "new\n");
	await isTold(watched, "up");
	const without = watch({ url: redis.url }, life);
	await isTold(without, "up");
	const why = await without.link.send(["ping"]).catch((error: unknown) => without.link.why(error));
	expect(why).toContain("asks for a password (set fleet.redis.passwordFile");
});

test("TLS takes an authority of one's own, and says what is wrong with any other", async () => {
	await using life = lifetime();
	const port = await freePort();
	const plain = await freePort();
	const dir = life.own(await startRedis()).dir;
	const [ca, key] = [join(dir, "ca.pem"), join(dir, "key.pem")];
	const made = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=redis"];
	const files = ["-keyout", key, "-out", ca, "-days", "2", "-addext", "subjectAltName=DNS:redis.example.com"];
	await execa("openssl", ["req", ...made, ...files], { stdin: "ignore" });
	const tls = [`tls-cert-file ${ca}`, `tls-key-file ${key}`, `tls-ca-cert-file ${ca}`];
	life.own(await startRedis({ port: plain, config: [`tls-port ${port}`, ...tls] }));
	const url = `rediss://127.0.0.1:${port}`;
	const good = { ca, cert: ca, key, serverName: "redis.example.com" };
	await isTold(watch({ url, tls: good }, life), "up");
	await isTold(watch({ url: `redis://127.0.0.1:${port}`, tls: good }, life), "up");
	await isTold(watch({ url }, life), `TLS with ${url} failed: self-signed certificate`);
	await isTold(watch({ url, tls: { ca, cert: ca, key } }, life), "(see fleet.redis.tls: ca, cert, key, serverName)");
	await isTold(watch({ url, tls: { ...good, ca: "/nowhere/ca.pem" } }, life), "cannot read /nowhere/ca.pem");
	// A server without TLS waits for more of what it takes for a command.
	await isTold(watch({ url: `rediss://127.0.0.1:${plain}`, tls: good }, life), "is it up, does it speak TLS");
	const without = watch({ url: `redis://127.0.0.1:${port}` }, life);
	await isTold(without, "up");
	void without.link.send(["ping"]).catch(() => {});
	await isTold(without, "does it expect TLS, or none? see fleet.redis.tls");
});

test.each([
	[{ url: "redis://127.0.0.1:1" }, "nobody listens at redis://127.0.0.1:1"],
	[{ url: "unix:///nowhere/redis.sock" }, "there is no socket at unix:///nowhere/redis.sock"],
	[{ sentinels: ["127.0.0.1:1"] }, "nobody tells where mymaster of the Sentinels at 127.0.0.1:1 is"],
	[{ cluster: ["127.0.0.1:1"] }, "not connected to the Redis Cluster at 127.0.0.1:1"],
] as const)("%o", async (config, words) => {
	await using life = lifetime();
	await isTold(watch(config as Partial<RedisConfig>, life), words);
});

test("a server that is no Cluster, and one that is no Sentinel, are named as that", async () => {
	await using life = lifetime();
	const port = await freePort();
	life.own(await startRedis({ port }));
	await isTold(watch({ cluster: [`127.0.0.1:${port}`] }, life), "is no Cluster (set fleet.redis.url");
	await isTold(watch({ sentinels: [`127.0.0.1:${port}`] }, life), "is no Sentinel (see fleet.redis.sentinels)");
});
