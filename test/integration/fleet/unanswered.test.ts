/** A change that Redis took, and whose answer never came: what it is worth is not known, least of all after a failover. */

import { join } from "node:path";
import { expect, test } from "vitest";
import { openDoor } from "../../host/door.js";
import { eventually } from "../../host/eventually.js";
import { keyOf } from "../../unit/fleet/redis/offers.js";
import { keys, offer, own, server, startEdge, startHost } from "./edge.js";

test("is told again as part of a whole: an edge that had it before Redis lost it misses nothing that came with it", async () => {
	const path = join(server.dir, "door.sock");
	const door = own(await openDoor(path, server.socket));
	const host = startHost("h1", { 1: 10 }, `unix://${path}`);
	const edge = startEdge();
	await edge.has({ h1: { 1: 10 } });
	// Redis has the script from now on: the next change takes one question.
	offer(host, { 1: 20 });
	await edge.has({ h1: { 1: 20 } });
	// At once after its answer: the next change would wait behind a renewal whose answer is lost, until the lease is over.
	const sequence = await eventually("it is told", () => {
		const { publishing } = host.status();
		return publishing.state === "current" && publishing.sequence;
	});
	door.silence();
	offer(host, { 2: 10 });
	await edge.has({ h1: { 1: 20, 2: 10 } });
	door.shut();
	// As a copy has it that was one change behind.
	await server.cli("HDEL", keys.host("h1"), keyOf(2));
	await server.cli("HSET", keys.host("h1"), "@sequence", String(sequence));
	offer(host, { 3: 10 });
	door.open();
	await edge.has({ h1: { 1: 20, 2: 10, 3: 10 } });
	expect(edge.folded.over).toEqual([]);
});
