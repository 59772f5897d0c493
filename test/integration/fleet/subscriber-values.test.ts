/** What others do to an edge's keys in Redis: entries and keys that go, and values that nobody can use. */

import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { eventually } from "../../host/eventually.js";
import { aboutText, keyOf, offerText } from "../../unit/fleet/redis/offers.js";
import { keys, offer, server, startEdge, startHost } from "./edge.js";

/** A host without a daemon: what anybody can write. Its lease is long. */
async function write(host: string, fields: Readonly<Record<string, string>>) {
	const all = { "@incarnation": "1", "@sequence": "1", "@about": aboutText({ lease: 60_000 }), ...fields };
	await server.cli("HSET", keys.host(host), ...Object.entries(all).flat());
	await server.cli("ZADD", keys.leases, String(Date.now() + 3_600_000), host);
}

const tell = (host: string, sequence: number, kind: string, payload = "") =>
	server.cli("XADD", keys.changes, "*", "h", host, "i", "1", "s", String(sequence), "k", kind, "p", payload);

/** How often the stream was waited at: an edge looks how far it reaches before each time. */
async function looksAtStream(): Promise<number> {
	const [, calls] = /^cmdstat_xread:calls=(\d+)/m.exec(await server.cli("INFO", "commandstats")) ?? [];
	return Number(calls);
}

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
	// It is one, however often the edge looks, and nothing new comes.
	const looks = await looksAtStream();
	await eventually("it has looked again", async () => (await looksAtStream()) > looks + 1);
	expect(edge.subscriber.status().gaps).toBe(gaps + 1);
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
		await edge.isFrozen(/^\{solistend:test\}:(leases|changes) in Redis is of another type \(delete it/);
		await server.cli("DEL", key);
		await edge.isUp();
	}
	offer(h1, { 1: 11 });
	await edge.has({ h1: { 1: 11 } });
	expect(edge.folded.over).toEqual([]);
});
