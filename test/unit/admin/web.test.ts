import { hostname } from "node:os";
import { describe, expect, test } from "vitest";
import { refusalOf } from "../../../src/admin/web.js";

const LOCAL = { address: "127.0.0.1", port: 9141 };
const OPEN = { address: "0.0.0.0", port: 9141 };

const status = (host: string | undefined, at = LOCAL, more: Record<string, string> = {}, method = "GET") =>
	refusalOf({ method, headers: { ...(host !== undefined && { host }), ...more } }, at, "edge-1")?.status;

describe("a request to the port of the status page", () => {
	test.each(["localhost", "LOCALHOST:9141", "127.0.0.1", "127.0.0.1:9141", "[::1]:9141", "localhost:8080"])(
		"for %s is answered on loopback",
		(host) => {
			expect(status(host)).toBeUndefined();
		},
	);

	test.each([
		undefined,
		"",
		"evil.example",
		"evil.example:9141",
		"localhost.evil.example",
		"127.0.0.1.evil.example",
		"10.0.0.1",
		"edge-1",
		hostname(),
		"[::1",
		"127.0.0.1:9141:x",
		"user@127.0.0.1",
	])("for %s is refused on loopback: another name may have been pointed here", (host) => {
		expect(status(host)).toBe(403);
	});

	test("for an address or a name of this host is answered where others may ask", () => {
		const hosts = ["10.0.0.1:9141", "[fd00::1]", "localhost", "edge-1:9141", hostname()];
		expect(hosts.map((host) => status(host, OPEN))).toEqual(hosts.map(() => undefined));
		expect(status("evil.example", OPEN)).toBe(403);
	});

	test.each(["POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE"])("by %s is refused", (method) => {
		expect(status("localhost", LOCAL, {}, method)).toBe(405);
	});

	test("from a page of another origin is refused, but for a link that is followed", () => {
		expect(status("localhost", LOCAL, { "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors" })).toBe(403);
		expect(status("localhost", LOCAL, { "sec-fetch-site": "same-site", "sec-fetch-mode": "cors" })).toBe(403);
		expect(status("localhost", LOCAL, { "sec-fetch-site": "same-origin", "sec-fetch-mode": "cors" })).toBeUndefined();
		const link = { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" };
		expect(status("localhost", LOCAL, link)).toBeUndefined();
		expect(status("localhost", LOCAL, { ...link, "sec-fetch-dest": "iframe" })).toBe(403);
	});
});
