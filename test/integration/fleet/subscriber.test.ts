/**
 * An edge beside a real Redis to which everything happens: what it is told folds into what the hosts offer, and nobody who
 * is well is ever over.
 */

import { rm } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { eventually } from "../../host/eventually.js";
import { keyOf } from "../../unit/fleet/redis/offers.js";
import { keys, LEASE, now, offer, server, startEdge, startHost } from "./edge.js";

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
