import { describe, expect, test } from "vitest";
import { readPreferred } from "../../../src/backends/address.js";
import { type AdvertiseQuestion, advertised, hostAddresses } from "../../../src/backends/advertise.js";
import type { Addresses } from "../../../src/identity/identity.js";

const known = (...ipv4: string[]): Addresses => ({ state: "known", ipv4, ipv6: ["fd00::2"] });
const lan = readPreferred(["10.1.0.0/16", "10.0.0.0/16"]);
const own = hostAddresses(lan, known("10.0.0.5", "10.1.0.5", "172.17.0.1"), undefined);
const ask = (question: Partial<AdvertiseQuestion> = {}) =>
	advertised({
		bound: "0.0.0.0",
		port: 80,
		ipv6Only: false,
		isHost: false,
		addresses: known("172.17.0.2"),
		shared: [],
		published: [],
		advertise: lan,
		own,
		...question,
	});
const port = (hostAddress: string, hostPort: number) => ({ port: 80, hostAddress, hostPort });

describe("where other hosts reach a listener in a container", () => {
	test("is the first of its addresses in fleet.advertise that nobody else has", () => {
		const addresses = known("10.0.0.7", "10.1.0.7", "172.17.0.2");
		expect(ask({ addresses })).toEqual({ ok: true, address: "10.1.0.7", port: 80 });
		expect(ask({ addresses, shared: ["10.1.0.7"] })).toEqual({ ok: true, address: "10.0.0.7", port: 80 });
	});

	test("is its bound address where it has one", () => {
		const addresses = known("10.0.0.7", "10.1.0.7");
		expect(ask({ addresses, bound: "10.0.0.7" })).toEqual({ ok: true, address: "10.0.0.7", port: 80 });
	});

	test.each([
		["0.0.0.0", { ok: true, address: "10.1.0.5", port: 8080 }],
		["10.0.0.5", { ok: true, address: "10.0.0.5", port: 8080 }],
	])("else is a port of the host that is published at %s", (hostAddress, place) => {
		expect(ask({ published: [port("127.0.0.1", 9000), port(hostAddress, 8080)] })).toEqual(place);
	});

	test.each([
		[
			{},
			"none of its addresses (172.17.0.2) is in fleet.advertise (10.1.0.0/16, 10.0.0.0/16); no port of this host leads to it (publish port 80 of the container)",
		],
		[
			{ published: [port("127.0.0.1", 8080)] },
			"none of its addresses (172.17.0.2) is in fleet.advertise (10.1.0.0/16, 10.0.0.0/16); its port is published at 127.0.0.1:8080, and others reach this host by 10.1.0.5, 10.0.0.5 (publish it there)",
		],
		[{ bound: "127.0.0.1" }, "it is bound to 127.0.0.1, which only its own host reaches"],
		[
			{ addresses: known("10.0.0.7"), shared: ["10.0.0.7"] },
			"10.0.0.7 belongs to another network namespace, too; no port of this host leads to it (publish port 80 of the container)",
		],
		[
			{ bound: "::", ipv6Only: true, addresses: known("10.0.0.7") },
			"none of its addresses (fd00::2) is in fleet.advertise (10.1.0.0/16, 10.0.0.0/16); no port of this host leads to it (publish port 80 of the container)",
		],
		[
			{ addresses: { state: "unknown", why: "gone" } as const },
			"its addresses are not known: gone; no port of this host leads to it (publish port 80 of the container)",
		],
	])("is nowhere otherwise, and it is said why", (question, why) => {
		expect(ask(question)).toEqual({ ok: false, why: `not routable from other hosts: ${why}` });
	});
});

describe("where other hosts reach a listener of the host's own namespace", () => {
	test("is the host's first address that it serves", () => {
		expect(ask({ isHost: true })).toEqual({ ok: true, address: "10.1.0.5", port: 80 });
		expect(ask({ isHost: true, bound: "10.0.0.5" })).toEqual({ ok: true, address: "10.0.0.5", port: 80 });
	});

	test("is nowhere where it is bound to another one", () => {
		expect(ask({ isHost: true, bound: "172.17.0.1" })).toEqual({
			ok: false,
			why: "not routable from other hosts: it is bound to 172.17.0.1, and others reach this host by 10.1.0.5, 10.0.0.5 (listen there, too)",
		});
	});
});

describe("without fleet.advertise", () => {
	const withRegistry = (toRegistry: string | undefined) => hostAddresses([], known("10.0.0.5"), toRegistry);

	test("a container's own address is nobody's, and its published port is at the address that reaches Redis", () => {
		const question = { advertise: [], addresses: known("10.0.0.7"), own: withRegistry("::ffff:10.0.0.5") };
		expect(ask({ ...question, published: [port("0.0.0.0", 8080)] })).toEqual({
			ok: true,
			address: "10.0.0.5",
			port: 8080,
		});
		expect(ask(question)).toMatchObject({ ok: false });
	});

	test.each([
		[undefined, "by which address this host reaches Redis is not known (name this host's network in fleet.advertise)"],
		[
			"127.0.0.1",
			"this host reaches Redis by 127.0.0.1, which others do not reach (name this host's network in fleet.advertise)",
		],
	])("an address to Redis of %s is not enough", (toRegistry, why) => {
		const question = { isHost: true, advertise: [], own: withRegistry(toRegistry) };
		expect(ask(question)).toEqual({ ok: false, why: `not routable from other hosts: ${why}` });
	});
});
