/** Both families, with real sockets: what is bound how, and where a proxy in a namespace of its own reaches it. */

import { describe, expect, test } from "vitest";
import { type ApplicationOptions, startApplication } from "../host/application.js";
import { type Edge, joined, openEdge } from "../host/edge.js";
import { eventually } from "../host/eventually.js";
import { ip } from "../host/ip.js";
import type { Netns } from "../host/netns.js";
import { answersAre, operate } from "../host/operator.js";
import { requirePrivileges, skipPrivileged } from "../host/privileges.js";

requirePrivileges();

/** The namespaces of the edge are neighbours by IPv6, too; each has `fd00:203::N` beside its IPv4 address. */
async function openDual(): Promise<Edge> {
	const services = { web: { match: { port: [80, 8080], netns: `slt-${process.pid}-*` } } };
	const edge = await openEdge({ isApart: true, services });
	if (edge.netns !== undefined) await addIpv6(edge.netns.name, edge.netns.address);
	return edge;
}

/** The IPv6 address that goes with an IPv4 one. */
const ipv6Of = (address: string) => `fd00:203::${address.split(".").at(-1)}`;

async function addIpv6(netns: string, address: string): Promise<void> {
	await ip([`addr add ${ipv6Of(address)}/64 dev eth0 nodad`], netns);
	// until then nothing is sent from there
	await eventually(`${netns} has its link-local address`, async () => {
		const shown = await ip(["addr show dev eth0 scope link"], netns);
		return shown.includes("fe80:") && !shown.includes("tentative");
	});
}

async function serve(edge: Edge, name: string, bind: (address: string) => Partial<ApplicationOptions>) {
	const netns = await edge.segment.addNetns(name);
	await addIpv6(netns.name, netns.address);
	edge.owned.own(await startApplication({ name, netns, ...bind(netns.address) }));
	return netns;
}

/** Waits for the verdict on the one listener of a namespace. */
const verdictIs = (edge: Edge, { name }: Netns, bound: string, verdict: object) =>
	eventually(`the verdict on ${name}`, async () => {
		const all: { netnsName?: string; address: string; verdict: object }[] = JSON.parse(
			await operate(edge, "ls", "--json"),
		);
		const listener = all.find(({ netnsName }) => netnsName === name);
		expect(listener).toMatchObject({ address: bound, verdict });
		return true;
	});

describe.skipIf(skipPrivileged)("a listener of another namespace", () => {
	test.each<[string, Partial<ApplicationOptions>, (address: string) => string]>([
		["to :: serves IPv4, and is reached by it", { address: "::" }, (address) => address],
		["to :: for IPv6 only is reached by IPv6", { address: "::", ipv6Only: true }, ipv6Of],
	])("bound %s", async (_what, bind, reached) => {
		await using edge = await openDual();
		const daemon = await edge.startDaemon();
		const { address } = await serve(edge, "app", () => bind);
		await joined(daemon, `web/${reached(address)}:80`);
		await answersAre(edge, "app");
	});

	test("bound to one address is reached there: an IPv6 one, or an IPv4 one in IPv6 clothes", async () => {
		await using edge = await openDual();
		const daemon = await edge.startDaemon();
		const six = await serve(edge, "six", (address) => ({ address: ipv6Of(address) }));
		await joined(daemon, `web/${ipv6Of(six.address)}:80`);
		const mapped = await serve(edge, "mapped", (address) => ({ address: `::ffff:${address}` }));
		await joined(daemon, `web/${mapped.address}:80`);
		await answersAre(edge, "mapped", "six");
	});

	test("bound to what nobody else reaches is refused, and says why", async () => {
		await using edge = await openDual();
		await edge.startDaemon();
		const loopback = await serve(edge, "loopback", () => ({ address: "::ffff:127.0.0.1" }));
		await verdictIs(edge, loopback, "::ffff:127.0.0.1", {
			state: "out",
			why: "web: it is bound to 127.0.0.1, which only its own network namespace reaches",
		});
		const six = await serve(edge, "six", () => ({ address: "::1" }));
		await verdictIs(edge, six, "::1", { state: "out", why: expect.stringContaining("bound to ::1") });
		const link = await edge.segment.addNetns("link");
		await ip(["addr add fe80::7/64 dev eth0 nodad"], link.name);
		edge.owned.own(await startApplication({ name: "link", netns: link, address: "fe80::7%eth0" }));
		await verdictIs(edge, link, "fe80::7", {
			state: "out",
			why: "web: it is bound to fe80::7, which only its own link reaches",
		});
	});

	test("for IPv6 only waits for an address of its own, and for a route to it", async () => {
		await using edge = await openDual();
		const daemon = await edge.startDaemon();
		const netns = await edge.segment.addNetns("late");
		edge.owned.own(await startApplication({ name: "late", netns, address: "::", ipv6Only: true }));
		await verdictIs(edge, netns, "::", {
			state: "pending",
			why: "web: its network namespace has no global IPv6 address yet (it is bound to ::)",
		});
		await ip(["addr add fd00:404::7/64 dev eth0 nodad"], netns.name);
		await verdictIs(edge, netns, "::", {
			state: "pending",
			why: "web: no route of the proxy's network namespace leads to fd00:404::7",
		});
		await ip([`route add fd00:404::/64 dev eth0`], edge.netns?.name);
		// the longest pause between two looks at what is pending is 10 s
		await joined(daemon, "web/fd00:404::7:80", 0, 20_000);
	});
});

describe.skipIf(skipPrivileged)("a listener beside the proxy", () => {
	test("for IPv6 only is reached by the loopback of IPv6", async () => {
		await using edge = await openDual();
		const daemon = await edge.startDaemon();
		if (edge.netns === undefined) throw new Error("the edge is not apart");
		const bind = { port: 8080, address: "::", ipv6Only: true };
		edge.owned.own(await startApplication({ name: "beside", netns: edge.netns, ...bind }));
		await joined(daemon, "web/::1:8080");
		await answersAre(edge, "beside");
	});
});
