import { BlockList, isIP, isIPv4 } from "node:net";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compareIp, formatIp, type Ip, isInCidr, parseCidr, parseIp, unmapIp } from "../../src/ip.js";

const bytes = (length: number) => fc.array(fc.integer({ min: 0, max: 255 }), { minLength: length, maxLength: length });
/** Many zeros, so that there are runs to shorten. */
const sparse = fc.array(fc.constantFrom(0, 0, 0, 1, 0xff), { minLength: 16, maxLength: 16 });
const anyIp = fc.oneof(bytes(4), bytes(16), sparse);

/** What Node's own parser of URLs makes of the host, which is RFC 5952 as well. */
const ofUrl = (text: string) => new URL(`http://[${text}]/`).hostname.slice(1, -1);
const full = (ip: Ip) =>
	Array.from({ length: 8 }, (_, i) => (((ip[2 * i] ?? 0) << 8) | (ip[2 * i + 1] ?? 0)).toString(16)).join(":");

describe("an address", () => {
	test.each([
		["192.0.2.1", "192.0.2.1"],
		["2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
		["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
		["0:0:0:0:0:0:0:0", "::"],
		["::0001", "::1"],
		["1::", "1::"],
		["fd00:0:0:1:0:0:0:2", "fd00:0:0:1::2"],
		["64:ff9b::192.0.2.33", "64:ff9b::c000:221"],
		["1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"],
	])("%s is written %s", (text, canonical) => {
		expect(formatIp(parseIp(text) ?? [])).toBe(canonical);
	});

	test("is written as RFC 5952 has it, and read back the same", () => {
		fc.assert(
			fc.property(fc.oneof(bytes(16), sparse), (ip) => {
				expect(formatIp(ip)).toBe(ofUrl(full(ip)));
				expect(parseIp(formatIp(ip))).toEqual(ip);
				expect(parseIp(full(ip))).toEqual(ip);
			}),
			{ numRuns: 1000 },
		);
		fc.assert(
			fc.property(bytes(4), (ip) => {
				expect(parseIp(formatIp(ip))).toEqual(ip);
			}),
		);
	});

	test.each([
		"",
		"1.2.3",
		"1.2.3.4.5",
		"256.0.0.1",
		"01.2.3.4",
		"1.2.3.4 ",
		":",
		":::",
		"1::2::3",
		"1:2",
		"g::",
		"::1%lo",
	])("is not %j", (text) => {
		expect(parseIp(text)).toBeUndefined();
	});

	test("is what Node takes for one", () => {
		const text = fc.oneof(
			fc.ipV4(),
			fc.ipV6(),
			fc.string({ unit: fc.constantFrom("0", "1", "f", ":", ".", "25"), maxLength: 20 }),
		);
		fc.assert(
			fc.property(text, (candidate) => {
				expect(parseIp(candidate) !== undefined).toBe(isIP(candidate) !== 0);
			}),
			{ numRuns: 3000 },
		);
	});

	test("is sorted by its number, IPv4 first", () => {
		const sorted = ["::1", "10.0.0.10", "9.255.0.1", "10.0.0.9", "2001:db8::"]
			.map((text) => parseIp(text) ?? [])
			.sort(compareIp)
			.map(formatIp);
		expect(sorted).toEqual(["9.255.0.1", "10.0.0.9", "10.0.0.10", "::1", "2001:db8::"]);
	});

	test("is unmapped only where it is IPv4-mapped", () => {
		expect(unmapIp(parseIp("::ffff:1.2.3.4") ?? [])).toEqual([1, 2, 3, 4]);
		for (const text of ["::1.2.3.4", "::fffe:1.2.3.4", "::ffff:0:1.2.3.4", "1::ffff:1.2.3.4"]) {
			expect(unmapIp(parseIp(text) ?? [])).toHaveLength(16);
		}
	});
});

describe("a prefix", () => {
	test("holds what Node's block list says that it holds", () => {
		const near = (ip: number[], flip: number) =>
			ip.map((byte, i) => (i === flip >> 3 ? byte ^ (0x80 >> (flip & 7)) : byte));
		fc.assert(
			fc.property(anyIp, fc.nat(128), fc.nat(127), (network, length, flip) => {
				const bits = Math.min(length, network.length * 8);
				const ip = near(network, flip % (network.length * 8));
				const family = isIPv4(formatIp(network)) ? "ipv4" : "ipv6";
				const list = new BlockList();
				list.addSubnet(formatIp(network), bits, family);
				const cidr = parseCidr(`${formatIp(network)}/${bits}`);
				expect(cidr).toEqual({ network, bits });
				for (const one of [ip, network]) {
					expect(cidr !== undefined && isInCidr(one, cidr)).toBe(list.check(formatIp(one), family));
				}
			}),
			{ numRuns: 1000 },
		);
	});

	test("holds nothing of the other family", () => {
		expect(isInCidr([0, 0, 0, 0], { network: new Array<number>(16).fill(0), bits: 0 })).toBe(false);
	});

	test.each(["10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "::/129", "10.0.0.0/8/8", "/8", "10.0.0.0/-1", "x/8"])(
		"is not %j",
		(text) => {
			expect(parseCidr(text)).toBeUndefined();
		},
	);
});
