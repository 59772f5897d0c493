import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseRoutes, type Reach } from "../../../src/identity/routes.js";
import { isInCidr, parseIp } from "../../../src/ip.js";

const HEADER = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT";
const hex = (address: string) =>
	[...(parseIp(address) ?? [])]
		.reverse()
		.map((byte) => byte.toString(16).padStart(2, "0").toUpperCase())
		.join("");
const maskOf = (bits: number) =>
	[0, 8, 16, 24].map((from) => (0xff00 >> Math.min(8, Math.max(0, bits - from))) & 0xff).join(".");

/** A line as the kernel writes it. */
function line(prefix: string, { device = "eth0", flags = "0001", metric = 0 } = {}): string {
	const [address = "", bits = ""] = prefix.split("/");
	const words = [
		device,
		hex(address),
		"00000000",
		flags,
		"0",
		"0",
		String(metric),
		hex(maskOf(Number(bits))),
		"0",
		"0",
		"0",
	];
	return words.join("\t").padEnd(127);
}

const ipv4 = (...lines: string[]) => parseRoutes({ ipv4: [HEADER, ...lines, ""].join("\n"), ipv6: undefined });

/** As seen on a host with an address, a default route, and one that is unreachable. */
const IPV6 = `fd000000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0
fd990000000000000000000000000000 20 00000000000000000000000000000000 00 00000000000000000000000000000000 00000400 00000001 00000000 00200200       lo
00000000000000000000000000000000 00 00000000000000000000000000000000 00 fd000000000000000000000000000001 00000400 00000003 00000000 00000003     eth0
00000000000000000000000000000001 80 00000000000000000000000000000000 00 00000000000000000000000000000000 00000000 00000002 00000000 80200001       lo
fd000000000000000000000000000002 80 00000000000000000000000000000000 00 00000000000000000000000000000000 00000000 00000004 00000000 80200001     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo
`;

describe("an address is reached", () => {
	const routes = ipv4(
		line("0.0.0.0/0", { flags: "0003" }),
		line("192.0.2.0/24"),
		line("10.0.0.0/8", { flags: "0003" }),
	);

	test.each<[string, Reach]>([
		["192.0.2.7", "routed"],
		["10.200.0.1", "routed"],
		["192.0.3.7", "default"],
		["fd00::7", "unknown"],
		["no address", "unknown"],
	])("%s: %s", (address, reach) => {
		expect(routes.reach(address)).toBe(reach);
	});

	test.each<[string, Reach]>([
		["fd00::7", "routed"],
		["fd00:0:0:1::7", "default"],
		["fd99::1", "none"],
		["10.0.0.1", "unknown"],
	])("by the routes of IPv6 %s: %s", (address, reach) => {
		expect(parseRoutes({ ipv4: undefined, ipv6: IPV6 }).reach(address)).toBe(reach);
	});

	test("by no route where there is none, nor a default one", () => {
		expect(ipv4(line("192.0.2.0/24")).reach("192.0.3.7")).toBe("none");
		const noDefault = IPV6.split("\n")
			.filter((one) => !one.includes("00000003     eth0"))
			.join("\n");
		expect(parseRoutes({ ipv4: undefined, ipv6: noDefault }).reach("fd01::1")).toBe("none");
	});

	test("by two halves that a VPN lays over the default route no better than by that", () => {
		const vpn = ipv4(line("0.0.0.0/1", { device: "tun0" }), line("128.0.0.0/1", { device: "tun0" }));
		expect([vpn.reach("10.0.0.1"), vpn.reach("192.0.2.1")]).toEqual(["default", "default"]);
	});

	test.each([
		["that rejects", { flags: "0201", device: "*" }],
		["to nowhere", { device: "*" }],
		["that is down", { flags: "0000" }],
	])("by none where the longest is one %s, unless a better one is as long", (_what, bad) => {
		const wide = line("10.0.0.0/8");
		expect(ipv4(wide, line("10.1.0.0/16", bad)).reach("10.1.2.3")).toBe("none");
		expect(ipv4(wide, line("10.1.0.0/16", bad)).reach("10.2.2.3")).toBe("routed");
		const worse = line("10.1.0.0/16", { ...bad, metric: 200 });
		expect(ipv4(worse, line("10.1.0.0/16", { metric: 100 })).reach("10.1.2.3")).toBe("routed");
	});
});

test("text that is cut off or is no table leads nowhere, and throws nothing", () => {
	fc.assert(
		fc.property(
			fc.oneof(
				fc.string(),
				fc.nat(IPV6.length).map((end) => IPV6.slice(0, end)),
			),
			(text) => {
				const routes = parseRoutes({ ipv4: text, ipv6: text });
				expect(["routed", "default", "none"]).toContain(routes.reach("fd00::7"));
				expect(routes.reach("10.0.0.1")).toBe("none");
			},
		),
	);
});

test("the longest prefix decides, and the lowest metric among its equals, as a search through all of them finds", () => {
	const octet = fc.constantFrom(0, 1, 2, 127, 128, 255);
	const address = fc.tuple(octet, octet, octet, octet).map((bytes) => bytes.join("."));
	const route = fc.record({
		network: address,
		bits: fc.integer({ min: 0, max: 32 }),
		metric: fc.nat(3),
		flags: fc.constantFrom("0001", "0201"),
	});
	fc.assert(
		fc.property(fc.array(route, { maxLength: 12 }), address, (routes, wanted) => {
			const masked = routes.map((one) => {
				const mask = maskOf(one.bits).split(".").map(Number);
				const network = one.network.split(".").map((byte, index) => Number(byte) & (mask[index] ?? 0));
				return { ...one, network };
			});
			const covering = masked
				.filter((one) => isInCidr(parseIp(wanted) ?? [], one))
				.sort((a, b) => b.bits - a.bits || a.metric - b.metric);
			const best = covering[0];
			const expected = best === undefined || best.flags === "0201" ? "none" : best.bits < 2 ? "default" : "routed";
			const table = ipv4(...masked.map((one) => line(`${one.network.join(".")}/${one.bits}`, one)));
			expect(table.reach(wanted)).toBe(expected);
		}),
	);
});

test("tables that differ by counters, interfaces and own addresses alone tell the same, and others do not", () => {
	const essence = (ipv6: string) => parseRoutes({ ipv4: line("192.0.2.0/24"), ipv6 }).essence;
	const busy = IPV6.replaceAll("00000001 00000000 00000001", "00000009 00000007 00000001");
	const more = `fe800000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000002 00000000 00000001    veth1
fe8000000000000000fc00fffe000001 80 00000000000000000000000000000000 00 00000000000000000000000000000000 00000000 00000003 00000000 80200001    veth1
ff000000000000000000000000000000 08 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000002 00000000 00000001    veth1
`;
	expect(busy).not.toBe(IPV6);
	expect(essence(more + busy)).toBe(essence(IPV6));
	const [first = ""] = IPV6.split("\n");
	expect(essence(IPV6.replace(`${first}\n`, ""))).not.toBe(essence(IPV6));
	expect(parseRoutes({ ipv4: undefined, ipv6: IPV6 }).essence).not.toBe(parseRoutes({ ipv4: "", ipv6: IPV6 }).essence);
});
