/** Several hosts and an edge, each with its daemon in a namespace of its own, and a real Redis between them. */

import { rm } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Application, startApplication } from "../host/application.js";
import { type Daemon, solistend } from "../host/daemon.js";
import { eventually } from "../host/eventually.js";
import { type Fleet, type Host, LOCAL_NETNS, openFleet, readyOf, untilReady } from "../host/fleet.js";
import { ip } from "../host/ip.js";
import { answersAre, serversOf, toldOf, untilAdmin, untilTold } from "../host/operator.js";
import { requirePrivileges, skipPrivileged } from "../host/privileges.js";

requirePrivileges();

/** Longer than the start of a daemon takes, while another file is tested and HAProxy is asked all the time. */
const LEASE = "8s";
/** A daemon has started by then, on a machine that is busy, too. */
const STARTED_MS = 40_000;

let fleet: Fleet;
let hosts: readonly [Host, Host];
let edge: Daemon;
let daemons: [Daemon, Daemon];
let applications: readonly [Application, Application];

/** What two hosts have on their loopback: nobody knows who would answer. */
const sharedAddress = () => fleet.edge.segment.subnet.replace("0/24", "200");

beforeAll(async () => {
	if (skipPrivileged) return;
	fleet = await openFleet({ lease: LEASE });
	hosts = [await fleet.addHost("one"), await fleet.addHost("two")];
	for (const { netns } of hosts) await ip([`addr add ${sharedAddress()}/32 dev lo`], netns.name);
	applications = [await hosts[0].serve(8000), await hosts[1].serve(8000)];
	let starting: [Daemon, Daemon];
	[edge, ...starting] = await Promise.all([fleet.startEdge(), hosts[0].start(), hosts[1].start()]);
	daemons = starting;
});
afterAll(() => fleet?.close());

/** Both hosts serve at the edge, and nobody else. */
const bothServe = () => untilReady(fleet.edge, both());
const both = () => hosts.map((host) => host.at(8000));

beforeEach(bothServe);

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
		const [application] = applications;
		await answersAre(fleet.edge, "one-8000", "two-8000");
		await application.tell("close");
		await answersAre(fleet.edge, "two-8000");
		await application.tell("listen");
		await answersAre(fleet.edge, "one-8000", "two-8000");
		await application.signal("SIGTERM");
		await untilAdmin(fleet.edge, hosts[0].at(8000), "drain");
		await application.tell("close");
		await application.tell("listen");
	});

	test("a place that two hosts tell of joins from neither, and the edge says so", async () => {
		const [first, second] = hosts;
		const shared = `${sharedAddress()}:8001`;
		const one = await first.serve(8001, { address: sharedAddress() });
		await untilReady(fleet.edge, [...both(), shared]);
		const other = await second.serve(8001, { address: sharedAddress() });
		await bothServe();
		const told = await toldOf(fleet.edge, shared);
		expect(told?.reason).toMatch(/one.*two|two.*one/);
		await other.close();
		await untilReady(fleet.edge, [...both(), shared]);
		await one.close();
		for (const { netns } of hosts) await ip([`addr del ${sharedAddress()}/32 dev lo`], netns.name);
	});

	test("a host whose daemon starts again loses nothing; one that is gone leaves when its lease ends", async () => {
		const [first, second] = hosts;
		const watch = watchReady(both());
		await daemons[0].stop();
		daemons[0] = await first.start();
		const application = await first.serve(8001);
		await untilReady(fleet.edge, [...both(), first.at(8001)]);
		expect(await watch.close()).toEqual([]);
		await daemons[0].kill();
		await untilReady(fleet.edge, [second.at(8000)]);
		daemons[0] = await first.start();
		await untilReady(fleet.edge, [...both(), first.at(8001)]);
		await application.close();
	});

	test("without Redis the edge keeps all, and its own go on changing; with an empty one all is told again", async () => {
		const [first] = hosts;
		const local = await serveLocally();
		await untilReady(fleet.edge, [...both(), local.place]);
		const watch = watchReady(both());
		const from = edge.lines.length;
		await fleet.redis.kill();
		await isFrozen(edge, from);
		await local.application.tell("close");
		await bothServe();
		await local.application.tell("listen");
		await untilReady(fleet.edge, [...both(), local.place]);
		const application = await first.serve(8001);
		await rm(join(fleet.redis.dir, "dump.rdb"), { force: true });
		await fleet.redis.start();
		await untilLeased("one", "two");
		await untilReady(fleet.edge, [...both(), first.at(8001), local.place]);
		expect(await watch.close()).toEqual([]);
		await Promise.all([application.close(), local.application.close()]);
	});

	test("what listens on a host while its cable is out serves once that is in again", async () => {
		const [first] = hosts;
		await first.line.cut();
		const application = await first.serve(8001, { address: first.netns.address });
		await first.line.mend();
		await untilReady(fleet.edge, [...both(), first.at(8001)]);
		await application.close();
	});

	test("a Redis that is flushed is filled again, and nobody is taken out", async () => {
		const watch = watchReady(both());
		await fleet.redis.cli("FLUSHALL");
		await untilLeased("one", "two");
		const application = await hosts[0].serve(8001);
		await untilReady(fleet.edge, [...both(), hosts[0].at(8001)]);
		expect(await watch.close()).toEqual([]);
		await application.close();
	});

	test("an edge that starts while Redis is gone goes on with what HAProxy has", async () => {
		const watch = watchReady(both());
		await fleet.redis.kill();
		await edge.stop();
		// it is ready without Redis, and has not waited for it
		edge = await fleet.startEdge();
		const messages = edge.lines.map(({ msg }) => msg);
		expect(messages.find((msg) => /frozen/.test(msg))).toBeDefined();
		expect(messages.find((msg) => /took longer than/.test(msg))).toBeUndefined();
		for (const place of both()) await untilTold(fleet.edge, place, "ready", /./, STARTED_MS);
		await answersAre(fleet.edge, "one-8000", "two-8000");
		await fleet.redis.start();
		// each host finds it again on its own, and says so by what it publishes
		const applications = await Promise.all(hosts.map((host) => host.serve(8001)));
		await untilReady(fleet.edge, [...both(), ...hosts.map((host) => host.at(8001))]);
		expect(await watch.close()).toEqual([]);
		for (const application of applications) await application.close();
	});

	test("a host that is drained gets no new requests, and is forgotten once its daemon ends", async () => {
		const [first, second] = hosts;
		const [program, ...words] = solistend("drain-host", "--socket", first.socket);
		await execa(program, words);
		await untilAdmin(fleet.edge, first.at(8000), "drain");
		await answersAre(fleet.edge, "two-8000");
		await daemons[0].stop();
		await untilLeased("two");
		await untilReady(fleet.edge, [second.at(8000)]);
	});
});
