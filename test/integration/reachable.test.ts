/** Where a proxy in a namespace of its own reaches listeners: by which routes, and at whose addresses. */

import { describe, expect, test } from "vitest";
import { startApplication } from "../host/application.js";
import { type Edge, joined, left, openEdge } from "../host/edge.js";
import { eventually } from "../host/eventually.js";
import { ip } from "../host/ip.js";
import type { ConnectedNetns } from "../host/netns.js";
import { answersAre, operate } from "../host/operator.js";
import { requirePrivileges, skipPrivileged } from "../host/privileges.js";

requirePrivileges();

/** Sorts before those of the segment, and is on none of its networks. */
const FAR = "10.9.9.9";

/** An edge whose HAProxy has a default route, as a container's network mostly has: whatever this machine has. */
async function openApart(): Promise<{ readonly edge: Edge; readonly proxy: ConnectedNetns }> {
	// the last one goes at once, and only events and looks bring one back
	const services = { web: { match: { port: 80, netns: `slt-${process.pid}-*` }, lastGrace: "0s" } };
	const edge = await openEdge({ isApart: true, services, settings: { resync: "1h" } });
	if (edge.netns === undefined) throw new Error("the edge is not apart");
	await ip([`route add default via ${edge.segment.gateway}`], edge.netns.name);
	return { edge, proxy: edge.netns };
}

/** A namespace with these addresses in place of its own one, and an application in it. */
async function serveAt(edge: Edge, name: string, addresses: readonly string[], port = 80) {
	const netns = await edge.segment.addNetns(name);
	const added = addresses.map((address) => `addr add ${address} dev eth0`);
	await ip(["addr flush dev eth0", ...added, `route replace ${edge.segment.subnet} dev eth0`], netns.name);
	return { netns, application: edge.owned.own(await startApplication({ name, netns, port })) };
}

/** An address of the segment that nobody has. */
const nearIn = ({ segment }: Edge) => segment.gateway.replace(/\.1$/, ".77");

/** Waits for the verdict on the listener of a namespace. */
const verdictIs = (edge: Edge, { name }: ConnectedNetns, verdict: object) =>
	eventually(`the verdict on ${name} is ${JSON.stringify(verdict)}`, async () => {
		const listeners: { netnsName?: string; verdict: object }[] = JSON.parse(await operate(edge, "ls", "--json"));
		expect(listeners.find(({ netnsName }) => netnsName === name)?.verdict).toEqual(verdict);
		return true;
	});

describe.skipIf(skipPrivileged)("an address of another namespace", () => {
	test("that only the default route reaches waits for a route of its own", async () => {
		const { edge, proxy } = await openApart();
		await using _ = edge;
		const daemon = await edge.startDaemon();
		const { netns } = await serveAt(edge, "far", [`${FAR}/32`]);
		const mend = "if that is right, name its network in addresses";
		await verdictIs(edge, netns, {
			state: "pending",
			why: `web: ${FAR} is reached only by the default route of the proxy's network namespace (${mend})`,
		});
		await ip([`route add unreachable ${FAR}/32`], proxy.name);
		await verdictIs(edge, netns, {
			state: "pending",
			why: `web: no route of the proxy's network namespace leads to ${FAR}`,
		});
		await ip([`route replace ${FAR}/32 dev eth0`], proxy.name);
		await joined(daemon, `web/${FAR}:80`);
		await answersAre(edge, "far");
	});

	test("that only the default route reaches is taken at the operator's word", async () => {
		const { edge } = await openApart();
		await using _ = edge;
		const settings = { addresses: ["10.9.0.0/16"], resync: "1h" };
		await edge.configure({ settings });
		const daemon = await edge.startDaemon();
		await serveAt(edge, "far", [`${FAR}/32`]);
		await joined(daemon, `web/${FAR}:80`);
	});

	test("gives way to the next one, where that is reached", async () => {
		const { edge } = await openApart();
		await using _ = edge;
		const daemon = await edge.startDaemon();
		const near = nearIn(edge);
		await serveAt(edge, "both", [`${FAR}/32`, `${near}/24`]);
		await joined(daemon, `web/${near}:80`);
		await answersAre(edge, "both");
	});

	test("that another one has, too, joins from neither where a service wants both, and from one as soon as the other is gone", async () => {
		const { edge } = await openApart();
		await using _ = edge;
		const daemon = await edge.startDaemon();
		const address = nearIn(edge);
		const id = `web/${address}:80`;
		const one = await serveAt(edge, "one", [`${address}/24`]);
		await joined(daemon, id);
		await answersAre(edge, "one");
		const shared = { state: "out", why: `web: ${address} belongs to another network namespace, too` };

		// anybody may give himself any address: only what a service wants is in doubt
		await serveAt(edge, "stranger", [`${address}/24`], 81);
		const before = daemon.lines.length;
		const other = await serveAt(edge, "other", [`${address}/24`]);
		await left(daemon, id, before);
		await verdictIs(edge, one.netns, shared);
		await verdictIs(edge, other.netns, shared);

		const goes = daemon.lines.length;
		await other.application.close();
		await joined(daemon, id, goes);
	});
});
