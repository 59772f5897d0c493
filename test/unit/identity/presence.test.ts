import { describe, expect, test } from "vitest";
import { listensAt } from "../../../src/identity/presence.js";

// from a real host: a listener on 127.0.0.1:8080, one on 0.0.0.0:80, an accepted connection
const TCP = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 20911 1 0000000000000000 100 0 0 10 0
   1: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 20912 1 0000000000000000 100 0 0 10 0
   2: 0200A8C0:01BB 0500A8C0:C350 01 00000000:00000000 00:00000000 00000000     0        0 20913 1 0000000000000000 20 4 30 10 -1
`;
const TCP6 = `  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when
   0: 00000000000000000000000001000000:1F91 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000
   1: 00000000000000000000000000000000:1F92 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000
   2: 0000000000000000FFFF00000100CB0A:1F93 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000
`;

describe("a table of sockets has a listener", () => {
	test.each([
		["at the bound address", TCP, "127.0.0.1", 8080, true],
		["at any address where the wildcard is bound", TCP, "10.1.2.3", 80, true],
		["not at another address", TCP, "10.1.2.3", 8080, false],
		["not where only a connection is", TCP, "192.168.0.2", 443, false],
		["at an IPv6 address", TCP6, "::1", 8081, true],
		["at any address where :: is bound", TCP6, "10.1.2.3", 8082, true],
		["at the IPv4 address of a mapped one", TCP6, "10.203.0.1", 8083, true],
		["nowhere in an empty table", "", "10.1.2.3", 80, false],
	])("%s", (_what, table, address, port, expected) => {
		expect(listensAt(table, address, port)).toBe(expected);
	});
});
