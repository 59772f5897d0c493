import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type AddressQuestion, chooseAddress, readPreferred } from "../../../src/backends/address.js";
import type { Addresses } from "../../../src/identity/identity.js";
import { type Reach, type Routes, UNKNOWN_ROUTES } from "../../../src/identity/routes.js";
import { isInCidr, parseCidr, parseIp } from "../../../src/ip.js";

const both: Addresses = {
	state: "known",
	ipv4: ["10.0.0.9", "172.17.0.2"],
	ipv6: ["2001:db8::9", "fd00::2"],
};
const wildcard: AddressQuestion = {
	bound: "0.0.0.0",
	port: 80,
	ipv6Only: false,
	isLocal: false,
	addresses: both,
	shared: [],
	preferred: [],
	routes: UNKNOWN_ROUTES,
	published: undefined,
};

const ask = ({ preferred = [], ...question }: Partial<Omit<AddressQuestion, "preferred">> & { preferred?: string[] }) =>
	chooseAddress({ ...wildcard, ...question, preferred: readPreferred(preferred) });
const ok = (address: string) => ({ ok: true, address, port: 80 });

describe("a specific bind", () => {
	test.each([
		["10.9.9.9", "10.9.9.9"],
		["FD00:0:0::7", "fd00::7"],
		["::ffff:10.9.9.9", "10.9.9.9"],
		["169.254.1.1", "169.254.1.1"],
	])("of %s is reached as %s, whatever is preferred or known", (bound, address) => {
		const unknown: Addresses = { state: "unknown", why: "gone" };
		expect(ask({ bound, preferred: ["192.168.0.0/16"], addresses: unknown })).toEqual(ok(address));
		expect(ask({ bound, isLocal: true })).toEqual(ok(address));
	});

	test.each([
		["127.0.0.1", "127.0.0.1"],
		["127.8.0.1", "127.8.0.1"],
		["::1", "::1"],
		["::ffff:127.0.0.1", "127.0.0.1"],
	])("of loopback %s is refused elsewhere and used in the proxy's own namespace", (bound, address) => {
		expect(ask({ bound })).toEqual({
			ok: false,
			pending: false,
			why: `it is bound to ${address}, which only its own network namespace reaches`,
		});
		expect(ask({ bound, isLocal: true })).toEqual(ok(address));
	});

	test("of an IPv6 link-local address is refused: it means nothing without its link", () => {
		expect(ask({ bound: "fe80::1" })).toEqual({
			ok: false,
			pending: false,
			why: "it is bound to fe80::1, which only its own link reaches",
		});
	});

	test("of what is no address is refused", () => {
		expect(ask({ bound: "10.0.0" })).toMatchObject({ ok: false, pending: false });
	});
});

describe("an address of another namespace", () => {
	const routes = (reaches: Record<string, Reach>): Routes => ({ reach: (address) => reaches[address] ?? "routed" });
	const byDefault = (address: string) =>
		`${address} is reached only by the default route of the proxy's network namespace (if that is right, name its network in addresses)`;
	const noRoute = (address: string) => `no route of the proxy's network namespace leads to ${address}`;
	const published = [{ port: 80, hostAddress: "0.0.0.0", hostPort: 8080 }];
	const throughHost = { ok: true, address: "127.0.0.1", port: 8080 };

	test("is not used where only the default route leads, or none: it waits, and says which", () => {
		const question = { routes: routes({ "10.0.0.9": "default", "172.17.0.2": "none" }) };
		const why = `${byDefault("10.0.0.9")}; ${noRoute("172.17.0.2")}`;
		expect(ask(question)).toEqual({ ok: false, pending: true, why });
		expect(ask({ bound: "10.0.0.9", ...question })).toMatchObject({ pending: true, why: byDefault("10.0.0.9") });
	});

	test("is not used where another namespace has it, too; somebody tells when that ends", () => {
		const question = { shared: ["10.0.0.9"] };
		const refused = { ok: false, pending: false, why: "10.0.0.9 belongs to another network namespace, too" };
		expect(ask({ bound: "10.0.0.9", ...question })).toEqual(refused);
		const addresses: Addresses = { state: "known", ipv4: ["10.0.0.9"], ipv6: [] };
		expect(ask({ addresses, ...question })).toEqual(refused);
		expect(ask({ addresses, ...question, preferred: ["10.0.0.0/8"] })).toEqual(refused);
	});

	test("gives way to the next one, in the same order", () => {
		expect(ask({ shared: ["10.0.0.9"] })).toEqual(ok("172.17.0.2"));
		expect(ask({ routes: routes({ "10.0.0.9": "default" }) })).toEqual(ok("172.17.0.2"));
		const onlyIpv6 = routes({ "10.0.0.9": "none", "172.17.0.2": "default", "2001:db8::9": "default" });
		expect(ask({ bound: "::", routes: onlyIpv6 })).toEqual(ok("fd00::2"));
		expect(ask({ shared: ["172.17.0.2"], preferred: ["172.16.0.0/12", "10.0.0.0/8"] })).toEqual(ok("10.0.0.9"));
	});

	test("is taken at the operator's word, and where nobody knows the routes", () => {
		const question = { routes: routes({ "10.0.0.9": "default" }) };
		expect(ask({ ...question, preferred: ["10.0.0.0/8"] })).toEqual(ok("10.0.0.9"));
		expect(ask({ bound: "10.0.0.9", ...question, preferred: ["10.0.0.0/8"] })).toEqual(ok("10.0.0.9"));
		expect(ask({ routes: routes({ "10.0.0.9": "unknown" }) })).toEqual(ok("10.0.0.9"));
	});

	test("needs no route and no name of its own beside the proxy", () => {
		const question = { isLocal: true, routes: routes({ "10.0.0.9": "none" }), shared: ["10.0.0.9"] };
		expect(ask({ bound: "10.0.0.9", ...question })).toEqual(ok("10.0.0.9"));
	});

	test("gives way to a published port only where none can be used", () => {
		expect(ask({ published })).toEqual(ok("10.0.0.9"));
		const none: Addresses = { state: "known", ipv4: [], ipv6: [] };
		const unreached = routes({ "10.0.0.9": "default", "172.17.0.2": "none" });
		expect(ask({ published, routes: unreached })).toEqual(throughHost);
		expect(ask({ published, shared: both.ipv4 })).toEqual(throughHost);
		expect(ask({ published, addresses: none })).toEqual(throughHost);
		expect(ask({ published, bound: "10.0.0.9", routes: unreached })).toEqual(throughHost);
		expect(ask({ published, routes: unreached, port: 81 })).toMatchObject({ ok: false });
	});

	test("says which port to publish where the engine tells of none that helps", () => {
		const mend = (family = "") =>
			`; no port of the host leads to it either (publish port 80 of the container${family})`;
		const addresses: Addresses = { state: "known", ipv4: ["10.0.0.9"], ipv6: ["fd00::2"] };
		const question = { addresses, routes: routes({ "10.0.0.9": "default", "fd00::2": "none" }) };
		const why = `${byDefault("10.0.0.9")}${mend()}`;
		expect(ask({ ...question, published: [] })).toEqual({ ok: false, pending: true, why });
		const onlyIpv6 = { ...question, published, bound: "::", ipv6Only: true };
		expect(ask(onlyIpv6)).toEqual({ ok: false, pending: true, why: `${noRoute("fd00::2")}${mend(" for IPv6")}` });
	});

	test("a published port helps nobody who is bound to loopback, whose addresses are not known, or who is not wanted", () => {
		expect(ask({ published, bound: "127.0.0.1" })).toMatchObject({ ok: false, pending: false });
		expect(ask({ published, addresses: { state: "unknown", why: "?" } })).toMatchObject({ ok: false, pending: true });
		expect(ask({ published, preferred: ["192.168.0.0/16"] })).toMatchObject({ ok: false, pending: false });
	});
});

describe("a wildcard bind in the proxy's own namespace", () => {
	test.each([
		[{ bound: "0.0.0.0" }, "127.0.0.1"],
		[{ bound: "::", ipv6Only: false }, "127.0.0.1"],
		[{ bound: "::", ipv6Only: true }, "::1"],
		[{ bound: "0.0.0.0", preferred: ["10.0.0.0/8"] }, "127.0.0.1"],
		[{ bound: "0.0.0.0", addresses: { state: "unknown", why: "?" } as const }, "127.0.0.1"],
	])("%j is reached by loopback", (question, address) => {
		expect(ask({ ...question, isLocal: true })).toEqual(ok(address));
	});
});

describe("a wildcard bind in another namespace", () => {
	test.each([
		["0.0.0.0 takes the first IPv4 address", {}, "10.0.0.9"],
		["::ffff:0.0.0.0 is IPv4", { bound: "::ffff:0.0.0.0" }, "10.0.0.9"],
		[":: takes IPv4 before IPv6", { bound: "::" }, "10.0.0.9"],
		[":: with IPv6 only takes IPv6", { bound: "::", ipv6Only: true }, "2001:db8::9"],
		["a preference picks", { preferred: ["172.16.0.0/12"] }, "172.17.0.2"],
		["the first preference wins", { bound: "::", preferred: ["fd00::/8", "10.0.0.0/8"] }, "fd00::2"],
		[
			"a later preference is used when the first fits none",
			{ preferred: ["192.0.2.0/24", "172.0.0.0/8"] },
			"172.17.0.2",
		],
		["within a preference the order of addresses holds", { preferred: ["0.0.0.0/0"] }, "10.0.0.9"],
		["a preference for IPv6 is not offered by IPv4", { preferred: ["::/0", "172.17.0.2/32"] }, "172.17.0.2"],
	])("%s", (_what, question, address) => {
		expect(ask(question)).toEqual(ok(address));
	});

	test("is refused when no address is preferred, and says both", () => {
		expect(ask({ preferred: ["192.168.0.0/16", "fd00::/8"] })).toEqual({
			ok: false,
			pending: false,
			why: "none of its addresses (10.0.0.9, 172.17.0.2) is in addresses: 192.168.0.0/16, fd00::/8",
		});
	});

	test("waits while the addresses are unknown", () => {
		expect(ask({ addresses: { state: "unknown", why: "no process can be read" } })).toEqual({
			ok: false,
			pending: true,
			why: "its addresses are not known: no process can be read",
		});
	});

	test.each([
		[{ bound: "0.0.0.0" }, "IPv4 address"],
		[{ bound: "::", ipv6Only: true }, "IPv6 address"],
		[{ bound: "::" }, "global address"],
	])("waits for an address that %j can offer", (question, kind) => {
		const choice = ask({ ...question, addresses: { state: "known", ipv4: [], ipv6: [] } });
		expect(choice).toMatchObject({ ok: false, pending: true, why: expect.stringContaining(kind) });
	});

	test("always gives an address of the namespace that serves the family, within the first prefix that has one", () => {
		const ipv4 = fc.uniqueArray(fc.ipV4(), { maxLength: 4 });
		const preferred = fc.array(fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 })), { maxLength: 3 });
		fc.assert(
			fc.property(ipv4, preferred, fc.constantFrom("0.0.0.0", "::"), (addresses, prefixes, bound) => {
				const cidrs = prefixes.map(([address, bits]) => `${address}/${bits}`);
				const choice = ask({
					bound,
					preferred: cidrs,
					addresses: { state: "known", ipv4: addresses, ipv6: ["fd00::2"] },
				});
				const within = (address: string, cidr: string) => {
					const [ip, prefix] = [parseIp(address), parseCidr(cidr)];
					return ip !== undefined && prefix !== undefined && isInCidr(ip, prefix);
				};
				const best = cidrs.find((cidr) => addresses.some((address) => within(address, cidr)));
				if (best !== undefined) {
					expect(choice.ok && addresses.includes(choice.address) && within(choice.address, best)).toBe(true);
				} else if (cidrs.length > 0) {
					expect(choice).toMatchObject({ ok: false });
				} else {
					const [first] = bound === "::" ? [...addresses, "fd00::2"] : addresses;
					expect(choice).toEqual(first === undefined ? expect.objectContaining({ pending: true }) : ok(first));
				}
			}),
		);
	});
});
