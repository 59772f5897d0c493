/**
 * An edge beside a real Redis to which everything happens: what it is told folds into what the hosts offer, and nobody who
 * is well is ever over.
 */

import { execFileSync } from "node:child_process";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { keysOf } from "../../src/fleet/redis/keys.js";
import { openPublisher, type Publisher } from "../../src/fleet/redis/publisher.js";
import { openSubscriber } from "../../src/fleet/redis/subscriber.js";
import type { RegistryState } from "../../src/fleet/registry.js";
import { eventually } from "../host/eventually.js";
import { createFolded } from "../host/folded.js";
import { type RedisServer, startRedis } from "../host/redis.js";
import { aboutText, keyOf, offerOf, offerText } from "../unit/fleet/redis/offers.js";

/** The shortest that the configuration allows. */
const LEASE = 1000;
const keys = keysOf("test");
const now = () => performance.now();

let server: RedisServer;
const closers: (() => unknown)[] = [];

beforeEach(async () => {
	server = await startRedis();
	closers.push(() => server.close());
});
afterEach(async () => {
	for (const close of closers.splice(0).reverse()) await close();
});

const redisConfig = () => ({ url: server.url, sentinels: undefined, cluster: undefined, tls: false }) as const;

/** A host with its daemon, that offers some places. */
function startHost(host: string, places: Readonly<Record<number, number>>): Publisher & { stop(): Promise<void> } {
	const publisher = openPublisher({
		redis: redisConfig(),
		keys,
		identity: { boot: `boot-${host}`, machine: `machine-${host}`, start: 1 },
		options: { host, zone: undefined, lease: LEASE, now },
		onState: () => {},
	});
	offer(publisher, places);
	publisher.settled();
	let isOpen = true;
	const stop = async () => {
		if (isOpen) await publisher.close();
		isOpen = false;
	};
	closers.push(stop);
	return { ...publisher, stop };
}

const offer = (publisher: Publisher, places: Readonly<Record<number, number>>) =>
	publisher.offer(
		Object.entries(places).map(([place, weight]) => ({
			kind: "put",
			key: keyOf(Number(place)),
			offer: offerOf(Number(place), weight),
		})),
	);

/** An edge, and all that it was told. */
function startEdge(maxStale?: number) {
	const folded = createFolded();
	const states: RegistryState[] = [];
	const completes: number[] = [];
	const lines: string[] = [];
	const subscriber = openSubscriber({
		redis: redisConfig(),
		keys,
		host: "edge-1",
		lease: LEASE,
		maxStale,
		onChange: folded.change,
		onComplete: (beganMs) => completes.push(beganMs),
		onState: (state) => states.push(state),
		onRejected: (line) => lines.push(line),
		now,
	});
	closers.push(() => subscriber.close());
	const state = () => states.at(-1);
	return {
		subscriber,
		folded,
		completes,
		lines,
		state,
		whys: () => states.flatMap((one) => (one.state === "frozen" ? [one.why] : [])),
		isUp: () => eventually("the edge is up", () => state()?.state === "up"),
		isFrozen: (why: RegExp) =>
			eventually(`frozen: ${why}`, () => {
				const last = state();
				return last?.state === "frozen" && why.test(last.why);
			}),
		/** Waits for a look that began after this moment. */
		async looksAgain() {
			const at = await server.cli("ZSCORE", keys.edges, "edge-1");
			await eventually("another look", async () => (await server.cli("ZSCORE", keys.edges, "edge-1")) !== at);
		},
		/** Waits until it has these hosts, with the weight of each of their places. */
		has: (hosts: Readonly<Record<string, Readonly<Record<number, number>>>>) => {
			const wanted = JSON.stringify(
				Object.entries(hosts)
					.sort()
					.map(([host, places]) => [
						host,
						Object.entries(places).map(([place, weight]) => [keyOf(Number(place)), weight]),
					]),
			);
			return eventually(`the edge has ${wanted}`, () => {
				const real = JSON.stringify([...folded.hosts].sort().map(([host, places]) => [host, [...places].sort()]));
				if (real !== wanted) throw new Error(`it has ${real}`);
				return true;
			});
		},
	};
}

test("an edge reads all hosts but its own, follows their changes, and hears goodbyes and the end of leases", async () => {
	const h1 = startHost("h1", { 1: 10 });
	startHost("edge-1", { 9: 1 });
	const edge = startEdge();
	await edge.has({ h1: { 1: 10 } });
	await edge.isUp();
	expect(edge.completes.length).toBeGreaterThan(0);

	offer(h1, { 1: 20, 2: 5 });
	await edge.has({ h1: { 1: 20, 2: 5 } });
	h1.offer([{ kind: "take", key: keyOf(1), why: "closed" }]);
	await edge.has({ h1: { 2: 5 } });
	const h2 = startHost("h2", { 3: 1 });
	await edge.has({ h1: { 2: 5 }, h2: { 3: 1 } });
	const [first] = edge.subscriber.status().hosts;
	expect(first).toMatchObject({ host: "h1", state: "live", offers: 1, lease: LEASE });
	expect(first?.lagMs).toBeLessThan(1000);

	await h2.stop();
	await edge.has({ h1: { 2: 5 } });
	expect(edge.folded.over).toEqual([{ kind: "over", host: "h2", said: false, why: "its lease ended" }]);
	const told = edge.completes.length;
	await eventually("a later look confirms it", () => edge.completes.length > told);

	await h1.drain(true);
	await eventually("h1 drains", () => edge.subscriber.status().hosts[0]?.state === "draining");
	await server.cli("XADD", keys.changes, "*", "h", "h1", "i", "99999999999999", "s", "1", "k", "bye");
	await edge.has({});
	expect(edge.folded.over.at(-1)).toMatchObject({ host: "h1", said: true });
});

test("a daemon that starts again takes nothing from anybody", async () => {
	const before = startHost("h1", { 1: 10, 2: 20 });
	const edge = startEdge();
	await edge.has({ h1: { 1: 10, 2: 20 } });
	await before.stop();
	startHost("h1", { 1: 10, 2: 21 });
	await edge.has({ h1: { 1: 10, 2: 21 } });
	expect(edge.folded.over).toEqual([]);
});

test("a Redis that crashed and comes back empty, or with what it had long ago, empties nothing", async () => {
	const h1 = startHost("h1", { 1: 10 });
	startHost("h2", { 2: 10 });
	const edge = startEdge();
	await edge.has({ h1: { 1: 10 }, h2: { 2: 10 } });
	await server.cli("SAVE");
	offer(h1, { 1: 11, 3: 1 });
	await edge.has({ h1: { 1: 11, 3: 1 }, h2: { 2: 10 } });

	await server.kill();
	await edge.isFrozen(/there is no socket at|nobody listens at|closed the connection/);
	offer(h1, { 1: 12 });
	await server.start();
	await edge.has({ h1: { 1: 12, 3: 1 }, h2: { 2: 10 } });
	await edge.isUp();

	await server.kill();
	await rm(join(server.dir, "dump.rdb"));
	offer(h1, { 1: 13 });
	await server.start();
	await edge.has({ h1: { 1: 13, 3: 1 }, h2: { 2: 10 } });
	await edge.isUp();
	expect(edge.folded.over).toEqual([]);
});

test("a Redis that stands still for longer than a lease freezes the edge, and nobody is over after it", async () => {
	const h1 = startHost("h1", { 1: 10 });
	const edge = startEdge();
	await edge.has({ h1: { 1: 10 } });
	server.pause();
	offer(h1, { 1: 11 });
	await edge.isFrozen(/does not answer/);
	server.resume();
	await edge.has({ h1: { 1: 11 } });
	await edge.isUp();
	await edge.looksAgain();
	expect(edge.folded.over).toEqual([]);
});

test("a Redis that is flushed is filled again, and nobody is over", async () => {
	const h1 = startHost("h1", { 1: 10 });
	startHost("h2", { 2: 10 });
	const edge = startEdge();
	await edge.has({ h1: { 1: 10 }, h2: { 2: 10 } });
	await server.cli("FLUSHALL");
	await eventually("h1 is there again", async () => (await server.cli("EXISTS", keys.host("h1"))) === "1");
	offer(h1, { 1: 11 });
	await edge.has({ h1: { 1: 11 }, h2: { 2: 10 } });
	await edge.looksAgain();
	await edge.looksAgain();
	expect(edge.folded.over).toEqual([]);
});

test("a Redis that takes no writes freezes the edge with the reason, and nobody is over for it", async () => {
	const h1 = startHost("h1", { 1: 10 });
	const edge = startEdge();
	await edge.has({ h1: { 1: 10 } });
	await server.cli("CONFIG", "SET", "maxmemory", "1");
	await edge.isFrozen(/out of memory \(raise its maxmemory/);
	// Longer than it takes to be over.
	const until = now() + 2 * LEASE;
	await eventually("two leases have passed", () => now() > until);
	await server.cli("CONFIG", "SET", "maxmemory", "0");
	offer(h1, { 1: 11 });
	await edge.has({ h1: { 1: 11 } });
	await edge.isUp();

	await server.cli("REPLICAOF", "127.0.0.1", "1");
	await edge.isFrozen(/is a replica and takes no writes/);
	await server.cli("REPLICAOF", "NO", "ONE");
	offer(h1, { 1: 12 });
	await edge.has({ h1: { 1: 12 } });
	await edge.isUp();
	expect(edge.folded.over).toEqual([]);
});

/** A host without a daemon: what anybody can write. Its lease is long. */
async function write(host: string, fields: Readonly<Record<string, string>>) {
	const all = { "@incarnation": "1", "@sequence": "1", "@about": aboutText({ lease: 60_000 }), ...fields };
	await server.cli("HSET", keys.host(host), ...Object.entries(all).flat());
	await server.cli("ZADD", keys.leases, String(Date.now() + 3_600_000), host);
}

const tell = (host: string, sequence: number, kind: string, payload = "") =>
	server.cli("XADD", keys.changes, "*", "h", host, "i", "1", "s", String(sequence), "k", kind, "p", payload);

test("a stream that is trimmed, or removed, or that lacks a word, leaves nobody behind", async () => {
	await write("h1", { [keyOf(1)]: offerText(1, 10) });
	await write("h2", { [keyOf(2)]: offerText(2, 10) });
	const edge = startEdge();
	await edge.has({ h1: { 1: 10 }, h2: { 2: 10 } });
	const change = async (host: string, sequence: number, place: number, weight: number) =>
		server.cli("HSET", keys.host(host), "@sequence", String(sequence), keyOf(place), offerText(place, weight));

	// What no entry told is found by comparing.
	await change("h1", 2, 1, 11);
	await edge.has({ h1: { 1: 11 }, h2: { 2: 10 } });
	// Told while the edge stands still, and trimmed away before it goes on.
	const { gaps } = edge.subscriber.status();
	const atOnce = (...words: string[]) => execFileSync("redis-cli", ["-s", server.socket, ...words]);
	atOnce("XADD", keys.changes, "*", "h", "h1", "i", "1", "s", "1", "k", "whole");
	atOnce("HSET", keys.host("h2"), "@sequence", "2", keyOf(2), offerText(2, 11));
	atOnce("XADD", keys.changes, "*", "h", "h2", "i", "1", "s", "2", "k", "whole");
	atOnce("XTRIM", keys.changes, "MAXLEN", "0");
	await edge.has({ h1: { 1: 11 }, h2: { 2: 11 } });
	await eventually("the gap is seen", () => edge.subscriber.status().gaps > gaps);
	await server.cli("DEL", keys.changes);
	await change("h2", 5, 2, 12);
	await tell("h2", 5, "whole");
	await edge.has({ h1: { 1: 11 }, h2: { 2: 12 } });
	await change("h2", 6, 2, 13);
	await tell("h2", 6, "of a later version");
	await edge.has({ h1: { 1: 11 }, h2: { 2: 13 } });
	// A gap in the numbers of a host.
	await change("h1", 9, 1, 14);
	await tell("h1", 9, "delta", JSON.stringify({ v: 1, put: {}, taken: {} }));
	await edge.has({ h1: { 1: 14 }, h2: { 2: 13 } });
	expect(edge.folded.over).toEqual([]);
});

test("keys that somebody removes are written again, and nobody is over", async () => {
	startHost("h1", { 1: 10 });
	const h2 = startHost("h2", { 2: 10 });
	const edge = startEdge();
	await edge.has({ h1: { 1: 10 }, h2: { 2: 10 } });
	for (const key of [keys.host("h1"), keys.leases]) {
		await server.cli("DEL", key);
		await eventually(`${key} is there again`, async () => (await server.cli("EXISTS", key)) === "1");
	}
	await server.cli("DEL", keys.changes);
	offer(h2, { 2: 11 });
	await edge.has({ h1: { 1: 10 }, h2: { 2: 11 } });
	await edge.looksAgain();
	expect(edge.folded.over).toEqual([]);
	expect(edge.state()?.state).toBe("up");
});

test("what can't be used is left out with a reason, one by one, and all the rest is used", async () => {
	await server.cli("SET", keys.host("a-string"), "x");
	await server.cli(
		"ZADD",
		keys.leases,
		"inf",
		"a-string",
		"inf",
		"no-hash",
		"inf",
		"evil\nname",
		"inf",
		"x".repeat(300),
	);
	await write("bad-about", { "@about": '{"v":1,"version":' });
	await write("later", { "@about": aboutText().replace('"v":1', '"v":2'), [keyOf(7)]: offerText(7) });
	await write("no-number", { "@sequence": "many" });
	await write("h1", {
		[keyOf(1)]: offerText(1, 10),
		[keyOf(2)]: offerText(2, 10).slice(0, 20),
		[keyOf(3)]: offerText(3, 10).replace('"v":1', '"v":2'),
		"web|127.0.0.1:80": offerText(4),
		'web|10.0.0.5:80"; evil': offerText(5),
		[keyOf(6)]: offerText(6).replace("web-1", "x; server evil"),
	});
	// 10 MB in one value, and in the name of a field.
	const huge = "redis.call('HSET', KEYS[1], ARGV[1], string.rep('x', 1e7), string.rep('y', 1e7), '1')";
	await server.cli("EVAL", huge, "1", keys.host("h1"), keyOf(8));
	const edge = startEdge();
	await edge.has({ h1: { 1: 10 } });
	await edge.isUp();
	const { rejected, lastRejected } = edge.subscriber.status();
	expect(rejected).toBeGreaterThanOrEqual(12);
	expect(lastRejected).toBeDefined();
	expect(edge.lines).toHaveLength(1);
	expect(edge.lines.join()).toMatch(/^left out what is in the registry: [ -~]+$/);

	await server.cli("XADD", keys.changes, "*", "what", "ever");
	await server.cli("XADD", keys.changes, "*", "h", "evil name", "i", "1", "s", "2", "k", "delta");
	await tell("h1", 2, "delta", '{"v":1,"put":');
	await tell("h1", 2, "delta", "x".repeat(100_000));
	await server.cli("HSET", keys.host("h1"), "@sequence", "3", keyOf(1), offerText(1, 11));
	await tell("h1", 3, "delta", JSON.stringify({ v: 1, put: { [keyOf(1)]: offerText(1, 11) }, taken: {} }));
	await edge.has({ h1: { 1: 11 } });
	expect(edge.lines).toHaveLength(1);
	// What was rejected once is not counted again, and what is too long never left Redis.
	const { rejected: before } = edge.subscriber.status();
	await edge.looksAgain();
	await edge.looksAgain();
	expect(edge.subscriber.status().rejected).toBe(before);
	expect(Number(/total_net_output_bytes:(\d+)/.exec(await server.cli("INFO", "stats"))?.[1])).toBeLessThan(1e6);
	expect(edge.folded.over).toEqual([]);
});

test("keys of another type freeze the edge with the reason, until they are removed", async () => {
	const h1 = startHost("h1", { 1: 10 });
	const edge = startEdge();
	await edge.has({ h1: { 1: 10 } });
	for (const key of [keys.leases, keys.changes]) {
		await server.cli("EVAL", "redis.call('DEL', KEYS[1]) redis.call('SET', KEYS[1], 'x')", "1", key);
		await edge.isFrozen(/another type/);
		await server.cli("DEL", key);
		await edge.isUp();
	}
	offer(h1, { 1: 11 });
	await edge.has({ h1: { 1: 11 } });
	expect(edge.folded.over).toEqual([]);
});

test("with maxStale, other hosts go when the registry was gone for so long, and come back with it", async () => {
	startHost("h1", { 1: 10 });
	const edge = startEdge(1500);
	await edge.has({ h1: { 1: 10 } });
	await edge.isUp();
	await server.cli("SAVE");
	await server.kill();
	await edge.has({});
	expect(edge.folded.over).toMatchObject([{ host: "h1", said: false, why: expect.stringMatching(/fleet\.maxStale/) }]);
	const told = edge.completes.length;
	await eventually("a later look confirms it", () => edge.completes.length > told);
	await server.start();
	await edge.has({ h1: { 1: 10 } });
});
