import { describe, expect, test } from "vitest";
import { httpAddress, isLocalOnly } from "../../../src/config/http-address.js";

describe("the place of the status page", () => {
	test.each([
		[9141, { address: "127.0.0.1", port: 9141 }],
		["9141", { address: "127.0.0.1", port: 9141 }],
		["127.0.0.1:9141", { address: "127.0.0.1", port: 9141 }],
		["[::1]:9141", { address: "::1", port: 9141 }],
		["0.0.0.0:80", { address: "0.0.0.0", port: 80 }],
	])("%s is on loopback unless an address is written out", (written, place) => {
		expect(httpAddress.parse(written)).toEqual(place);
	});

	test.each([0, 65_536, "localhost:9141", "::1:9141", "127.0.0.1", "256.0.0.1:80", "[127.0.0.1:80", ":9141", "", null])(
		"%s is refused, with what is allowed",
		(written) => {
			const parsed = httpAddress.safeParse(written);
			expect(parsed.error?.issues[0]?.message).toMatch(/127\.0\.0\.1:9141/);
		},
	);

	test("is for this host alone on loopback only", () => {
		const places = ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "0.0.0.0:1", "[::]:1", "10.0.0.1:1"];
		expect(places.map((text) => isLocalOnly(httpAddress.parse(text)))).toEqual([true, true, true, false, false, false]);
	});
});
