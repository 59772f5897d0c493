import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { placesOf, sharersOf } from "../../../../src/cli/doctor/shared-ports.js";
import type { Listener } from "../../../../src/listeners/event.js";
import { netnsKey, socketId } from "../../../../src/listeners/ids.js";

const OWN = 10;
const isOwn = (pid: number) => pid === OWN;

let sockets = 0;

const listener = (pid: number, address: string, changes: Partial<Listener> = {}): Listener => ({
	socket: socketId(String(++sockets)),
	netns: netnsKey("1"),
	netnsInode: 1,
	taskNetnsInode: 1,
	family: address.includes(":") ? "ipv6" : "ipv4",
	address,
	port: 80,
	ipv6Only: false,
	protocol: "tcp",
	backlog: 1,
	pid,
	comm: "haproxy",
	hostname: "host",
	pidNamespace: 1,
	cgroupId: "1",
	atNs: 1,
	...changes,
});

const sharers = (...listeners: readonly Listener[]) => sharersOf(listeners, isOwn);

describe("another HAProxy at the same place", () => {
	test("is named once, with each place", () => {
		const other = ["0.0.0.0", "0.0.0.0"].map((address) => listener(20, address));
		expect(
			sharers(
				listener(OWN, "0.0.0.0"),
				listener(OWN, "0.0.0.0", { port: 443 }),
				...other,
				listener(20, "0.0.0.0", { port: 443 }),
			),
		).toEqual([{ pid: 20, places: ["0.0.0.0:443", "0.0.0.0:80"] }]);
	});

	test.each([
		["0.0.0.0", "127.0.0.1"],
		["127.0.0.1", "0.0.0.0"],
		["::", "127.0.0.1"],
		["::", "0.0.0.0"],
		["::", "fd00::1"],
		["fd00::1", "fd00::1"],
	])("is one also where %s and %s are the same to some of the connections", (own, other) => {
		expect(sharers(listener(OWN, own), listener(20, other))).toMatchObject([{ pid: 20 }]);
	});

	test.each([
		["another address", listener(20, "127.0.0.2")],
		["another port", listener(20, "127.0.0.1", { port: 81 })],
		["another namespace", listener(20, "127.0.0.1", { netns: netnsKey("2") })],
		["IPv6 alone", listener(20, "::", { ipv6Only: true })],
		["one process that is no HAProxy", listener(20, "127.0.0.1", { comm: "nginx" })],
		["its own other process", listener(OWN, "127.0.0.1")],
	])("is none at %s", (_, other) => {
		expect(sharers(listener(OWN, "127.0.0.1"), other)).toEqual([]);
	});

	test("is found whichever of the two is looked from", () => {
		const address = fc.constantFrom("0.0.0.0", "127.0.0.1", "10.0.0.1", "::", "::1");
		const one = fc.record({ address, port: fc.constantFrom(80, 81), ipv6Only: fc.boolean() });
		fc.assert(
			fc.property(one, one, (a, b) => {
				const [ours, theirs] = [listener(OWN, a.address, a), listener(20, b.address, b)];
				const back = sharersOf([ours, theirs], (pid) => pid === 20);
				expect(sharers(ours, theirs).length).toBe(back.length);
			}),
		);
	});
});

test("the places of one's own HAProxy are each named once", () => {
	const all = [listener(OWN, "::"), listener(OWN, "::"), listener(20, "127.0.0.1"), listener(OWN, "127.0.0.1")];
	expect(placesOf(all, isOwn)).toEqual(["127.0.0.1:80", "[::]:80"]);
});
