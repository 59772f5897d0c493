import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { globalAddresses, namespaceAddresses } from "../../../src/identity/addresses.js";

/** As Linux 6.18 shows a namespace with two interfaces and three addresses, one of which ends in 0. */
const TABLE = `  +-- 0.0.0.0/0 2 0 2
     +-- 127.0.0.0/8 2 0 2
        +-- 127.0.0.0/31 1 0 0
           |-- 127.0.0.0
              /8 host LOCAL
           |-- 127.0.0.1
              /32 host LOCAL
        |-- 127.255.255.255
           /32 link BROADCAST
     +-- 198.18.0.0/15 2 0 1
        +-- 198.18.0.0/24 2 0 2
           +-- 198.18.0.0/29 2 1 2
              +-- 198.18.0.0/31 1 0 0
                 |-- 198.18.0.0
                    /24 link UNICAST
                 |-- 198.18.0.1
                    /32 host LOCAL
              |-- 198.18.0.7
                 /32 host LOCAL
           |-- 198.18.0.255
              /32 link BROADCAST
        +-- 198.19.0.0/22 2 0 2
           |-- 198.19.0.0
              /16 link UNICAST
           |-- 198.19.3.0
              /32 host LOCAL
        |-- 198.19.255.255
           /32 link BROADCAST
`;
const FIB_TRIE = `Main:\n${TABLE}Local:\n${TABLE}`;

/** The same namespace, a moment after its interfaces came up: fe80:: and 2001:db8::1:0 are tentative (0xc0). */
const IF_INET6 = `fe800000000000008cdab1fffe65d2f8 02 40 20 c0  slsidp1
20010db8000000000000000000010000 03 40 00 c0  slsidp0
00000000000000000000000000000001 01 80 10 80       lo
fe80000000000000746086fffe7db2e1 03 40 20 c0  slsidp0
20010db800010000000000000000000a 02 40 00 82  slsidp1
`;

/** The rows of `if_inet6` with these flags. */
const withFlags = (flags: string) => `20010db8000000000000000000000001 02 40 00 ${flags}     eth0\n`;

describe("the addresses of a namespace", () => {
	test("are its own IPv4 addresses, neither its routes nor loopback nor broadcast", () => {
		expect(namespaceAddresses(FIB_TRIE, "")).toEqual({
			state: "known",
			ipv4: ["198.18.0.1", "198.18.0.7", "198.19.3.0"],
			ipv6: [],
		});
	});

	test("are found where a rule has parted the tables, and among a host's routes", () => {
		const parted = `Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     |-- 192.0.2.0
        /24 link UNICAST
Local:
  +-- 0.0.0.0/0 3 1 5
     |-- 10.0.0.0
        /24 host LOCAL
     |-- 192.0.2.2
        /32 host LOCAL
        /32 universe UNICAST
     |-- 192.0.2.255
        /32 link BROADCAST
Id 200:
     |-- 203.0.113.9
        /32 universe UNICAST
     |-- 203.0.113.10
        /32 universe UNREACHABLE
        /32 host LOCAL
`;
		expect(namespaceAddresses(parted, "").ipv4).toEqual(["192.0.2.2", "203.0.113.10"]);
	});

	test("are its global IPv6 addresses, once they answer", () => {
		expect(namespaceAddresses("", IF_INET6).ipv6).toEqual(["2001:db8:1::a"]);
		expect(namespaceAddresses("", IF_INET6.replaceAll(" c0 ", " 80 ")).ipv6).toEqual([
			"2001:db8::1:0",
			"2001:db8:1::a",
		]);
	});

	test.each([
		["permanent", "80", true],
		["from a router", "00", true],
		["deprecated, as virtual addresses often are", "a0", true],
		["optimistic", "44", true],
		["tentative", "40", false],
		["a duplicate", "c8", false],
		["temporary", "01", false],
	])("which are %s (flags %s) count: %s", (_what, flags, counts) => {
		expect(namespaceAddresses("", withFlags(flags)).ipv6).toEqual(counts ? ["2001:db8::1"] : []);
	});

	test("are the same whatever the order of interfaces", () => {
		const lines = IF_INET6.replaceAll(" c0 ", " 80 ").trim().split("\n");
		fc.assert(
			fc.property(fc.shuffledSubarray(lines, { minLength: lines.length }), (shuffled) => {
				expect(namespaceAddresses(FIB_TRIE, `${shuffled.join("\n")}\n`)).toEqual(
					namespaceAddresses(FIB_TRIE, `${lines.join("\n")}\n`),
				);
			}),
		);
	});

	test("are never others than the real ones where a text is cut", () => {
		const whole = namespaceAddresses(FIB_TRIE, IF_INET6);
		for (let length = 0; length <= FIB_TRIE.length; length++) {
			const cut = namespaceAddresses(FIB_TRIE.slice(0, length), IF_INET6.slice(0, length));
			expect(whole.ipv4).toEqual(expect.arrayContaining([...cut.ipv4]));
			expect(whole.ipv6).toEqual(expect.arrayContaining([...cut.ipv6]));
		}
	});

	test("are none where there is nothing, or something else, to read", () => {
		const none = { state: "known", ipv4: [], ipv6: [] };
		expect(namespaceAddresses("", "")).toEqual(none);
		expect(namespaceAddresses("/32 host LOCAL\n|-- x\n/32 host LOCAL", "garbage")).toEqual(none);
		fc.assert(
			fc.property(fc.string(), fc.string(), (a, b) => {
				expect(namespaceAddresses(a, b)).toEqual(none);
			}),
		);
	});
});

describe("of many addresses the global ones", () => {
	test.each([
		"0.0.0.0",
		"0.1.2.3",
		"127.0.0.1",
		"169.254.7.7",
		"224.0.0.251",
		"255.255.255.255",
		"::",
		"::1",
		"fe80::1",
		"febf::1",
		"ff02::1",
		"eth0",
	])("leave out %s", (text) => {
		expect(globalAddresses([text, "10.0.0.1"])).toEqual({ state: "known", ipv4: ["10.0.0.1"], ipv6: [] });
	});

	test("are in numeric order and canonical, each once", () => {
		expect(globalAddresses(["10.0.0.10", "FD00:0::2", "10.0.0.9", "10.0.0.10", "fd00::2", "fc00::1"])).toEqual({
			state: "known",
			ipv4: ["10.0.0.9", "10.0.0.10"],
			ipv6: ["fc00::1", "fd00::2"],
		});
	});
});
