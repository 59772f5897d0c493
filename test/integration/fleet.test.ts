/** Several hosts and an edge, each with its daemon in a namespace of its own, and a real Redis between them. */

import { rm } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Application, startApplication } from "../host/application.js";
import { type Daemon, solistend } from "../host/daemon.js";
import { eventually } from "../host/eventually.js";
import { type Fleet, type Host, LOCAL_NETNS, openFleet, readyOf, untilReady } from "../host/fleet.js";
import { ip } from "../host/ip.js";
import { answersAre, serversOf, toldOf, untilAdmin } from "../host/operator.js";
import { requirePrivileges, skipPrivileged } from "../host/privileges.js";

requirePrivileges();

let fleet: Fleet;
let [one, two]: Host[] = [];

beforeEach(() => open("1s"));
afterEach(() => fleet.close());

async function open(lease: string): Promise<void> {
	fleet = await openFleet({ lease });
	[one, two] = [await fleet.addHost("one"), await fleet.addHost("two")];
}

/** The hosts, once they are there. */
function hosts(): [Host, Host] {
	if (one === undefined || two === undefined) throw new Error("no hosts");
	return [one, two];
}

/** An application on each host, and all daemons; resolves when both serve at the edge. */
async function start() {
	const [first, second] = hosts();
	const applications = [await first.serve(8000), await second.serve(8000)] as const;
	const [ofEdge, ofFirst, ofSecond] = await Promise.all([fleet.startEdge(), first.start(), second.start()]);
	await untilReady(fleet.edge, [first.at(8000), second.at(8000)]);
	return { applications, ofEdge, ofFirst, ofSecond };
}

/** An application of the edge's own. */
async function serveLocally(): Promise<{ place: string; application: Application }> {
	const netns = await fleet.edge.segment.addNetns(LOCAL_NETNS);
	const application = fleet.edge.owned.own(await startApplication({ name: LOCAL_NETNS, netns, port: 80 }));
	return { place: `${netns.address}:80`, application };
}

/** Follows who is ready at HAProxy, until it is closed: who was missing at some time of those who should never be. */
function watchReady(always: readonly string[]) {
	const missed = new Set<string>();
	let isOver = false;
	const watching = (async () => {
		while (!isOver) {
			const ready = readyOf(await serversOf(fleet.edge));
			for (const place of always) if (!ready.includes(place)) missed.add(place);
		}
	})();
	return {
		async close() {
			isOver = true;
			await watching;
			return [...missed];
		},
	};
}

const isFrozen = (daemon: Daemon, from: number) =>
	daemon.waitFor((line) => /frozen/.test(line.msg), { from, timeoutMs: 10_000 });

/** Waits until Redis has a lease of these hosts, and of the edge, which is a host, too. */
const untilLeased = (...names: string[]) =>
	eventually(`Redis has ${names} and the edge`, async () => {
		const leases = await fleet.redis.cli("ZRANGE", "{solistend:default}:leases", "0", "-1");
		return leases.split("\n").sort().join() === ["edge", ...names].join();
	});

describe.skipIf(skipPrivileged)("hosts and an edge that share a Redis", () => {
	test("a listener on a host serves at the edge, until it closes", async () => {
		const [first] = hosts();
		const {
			applications: [application],
		} = await start();
		await answersAre(fleet.edge, "one-8000", "two-8000");
		await application.tell("close");
		await answersAre(fleet.edge, "two-8000");
		await application.tell("listen");
		await answersAre(fleet.edge, "one-8000", "two-8000");
		await application.signal("SIGTERM");
		await untilAdmin(fleet.edge, first.at(8000), "drain");
	});

	test("a host whose daemon starts again loses nothing at the edge; one that is gone leaves when its lease ends", async () => {
		await fleet.close();
		// longer than a start takes
		await open("4s");
		const [first, second] = hosts();
		const { ofFirst } = await start();
		const all = [first.at(8000), second.at(8000)];
		const watch = watchReady(all);
		await ofFirst.stop();
		const again = await first.start();
		await first.serve(8001);
		await untilReady(fleet.edge, [...all, first.at(8001)]);
		expect(await watch.close()).toEqual([]);
		await again.kill();
		await untilReady(fleet.edge, [second.at(8000)]);
		await first.start();
		await untilReady(fleet.edge, [...all, first.at(8001)]);
	});

	test("without Redis the edge keeps all, and its own go on changing; with an empty one all is told again", async () => {
		const [first, second] = hosts();
		const { ofEdge } = await start();
		const local = await serveLocally();
		const remote = [first.at(8000), second.at(8000)];
		await untilReady(fleet.edge, [...remote, local.place]);
		const watch = watchReady(remote);
		const from = ofEdge.lines.length;
		await fleet.redis.kill();
		await isFrozen(ofEdge, from);
		await local.application.tell("close");
		await untilReady(fleet.edge, remote);
		await local.application.tell("listen");
		await untilReady(fleet.edge, [...remote, local.place]);
		await first.serve(8001);
		await rm(join(fleet.redis.dir, "dump.rdb"), { force: true });
		await fleet.redis.start();
		await untilLeased("one", "two");
		await untilReady(fleet.edge, [...remote, first.at(8001), local.place]);
		expect(await watch.close()).toEqual([]);
	});

	test("a Redis that is flushed is filled again, and nobody is taken out", async () => {
		const [first, second] = hosts();
		await start();
		const all = [first.at(8000), second.at(8000)];
		const watch = watchReady(all);
		await fleet.redis.cli("FLUSHALL");
		await untilLeased("one", "two");
		await first.serve(8001);
		await untilReady(fleet.edge, [...all, first.at(8001)]);
		expect(await watch.close()).toEqual([]);
	});

	test("an edge that starts while Redis is gone goes on with what HAProxy has", async () => {
		const [first, second] = hosts();
		const { ofEdge } = await start();
		const all = [first.at(8000), second.at(8000)];
		const watch = watchReady(all);
		await fleet.redis.kill();
		await ofEdge.stop();
		await fleet.startEdge();
		await answersAre(fleet.edge, "one-8000", "two-8000");
		await fleet.redis.start();
		await second.serve(8001);
		await untilReady(fleet.edge, [...all, second.at(8001)]);
		expect(await watch.close()).toEqual([]);
	});

	test("a host that is drained gets no new requests, and is forgotten once its daemon ends", async () => {
		const [first, second] = hosts();
		const { ofFirst } = await start();
		const [program, ...words] = solistend("drain-host", "--socket", first.socket);
		await execa(program, words);
		await untilAdmin(fleet.edge, first.at(8000), "drain");
		await answersAre(fleet.edge, "two-8000");
		await ofFirst.stop();
		await untilLeased("two");
		await untilReady(fleet.edge, [second.at(8000)]);
	});

	test("a place that two hosts tell of joins from neither, and the edge says so", async () => {
		const [first, second] = hosts();
		const shared = fleet.edge.segment.subnet.replace("0/24", "200");
		// both have it on their loopback: nobody knows who would answer
		for (const { netns } of [first, second]) await ip([`addr add ${shared}/32 dev lo`], netns.name);
		await start();
		await first.serve(8001, { address: shared });
		await untilReady(fleet.edge, [first.at(8000), second.at(8000), `${shared}:8001`]);
		const other = await second.serve(8001, { address: shared });
		await untilReady(fleet.edge, [first.at(8000), second.at(8000)]);
		expect(await toldOf(fleet.edge, `${shared}:8001`)).toMatchObject({
			reason: expect.stringMatching(/one.*two|two.*one/),
		});
		await other.close();
		await untilReady(fleet.edge, [first.at(8000), second.at(8000), `${shared}:8001`]);
	});
});
