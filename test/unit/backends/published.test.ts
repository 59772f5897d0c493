import { expect, test } from "vitest";
import { publishedPlace } from "../../../src/backends/published.js";
import type { PublishedPort } from "../../../src/identity/container.js";

const at = (hostAddress: string, hostPort: number, port = 80): PublishedPort => ({ port, hostAddress, hostPort });
const both = { ipv4: true, ipv6: true };
const [only4, only6] = [
	{ ipv4: true, ipv6: false },
	{ ipv4: false, ipv6: true },
];

test.each([
	["all of the host's addresses are its loopback", [at("0.0.0.0", 8080)], both, "127.0.0.1:8080"],
	["IPv4 comes first", [at("::", 8080), at("0.0.0.0", 8080)], both, "127.0.0.1:8080"],
	["IPv6 is used where there is nothing else", [at("::", 8080)], both, "::1:8080"],
	["a specific address is used as it is", [at("192.0.2.7", 8080)], both, "192.0.2.7:8080"],
	["in canonical text", [at("FD00:0::7", 8080)], both, "fd00::7:8080"],
	["the lowest port of several", [at("0.0.0.0", 9090), at("0.0.0.0", 8080)], both, "127.0.0.1:8080"],
	["another port of the container is not meant", [at("0.0.0.0", 8080, 81)], both, undefined],
	["an IPv6-only listener is not reached by IPv4", [at("0.0.0.0", 8080)], only6, undefined],
	["but by IPv6", [at("0.0.0.0", 8080), at("::", 8081)], only6, "::1:8081"],
	["an IPv4 listener is not reached by IPv6", [at("::", 8080)], only4, undefined],
	["what is no address counts for nothing", [at("", 8080), at("localhost", 8080)], both, undefined],
])("%s", (_what, published, serves, place) => {
	const found = publishedPlace(published, 80, serves);
	expect(found && `${found.address}:${found.port}`).toBe(place);
});
