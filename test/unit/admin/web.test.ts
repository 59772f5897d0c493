import { hostname } from "node:os";
import { describe, expect, test } from "vitest";
import { refusalOf } from "../../../src/admin/web.js";

const LOCAL = { address: "127.0.0.1", port: 9141, host: "edge-1.example.org", hosts: ["status.example.org"] };
const OPEN = { ...LOCAL, address: "0.0.0.0" };

const refused = (host: string | undefined, at = LOCAL, more: Record<string, string> = {}, method = "GET") =>
	refusalOf({ method, headers: { ...(host !== undefined && { host }), ...more } }, at);
const status = (...given: Parameters<typeof refused>) => refused(...given)?.status;

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
		"edge-1.example.org",
		"example.org",
		"x.status.example.org",
		".",
		hostname(),
		"[::1",
		"127.0.0.1:9141:x",
		"user@127.0.0.1",
	])("for %s is refused on loopback: another name may have been pointed here", (host) => {
		expect(status(host)).toBe(403);
	});

	test("for an address or a name of this host is answered where others may ask", () => {
		const own = ["edge-1:9141", "edge-1.example.org:9141", "EDGE-1.example.org.", hostname()];
		const hosts = ["10.0.0.1:9141", "[fd00::1]", "localhost", ...own];
		expect(hosts.map((host) => status(host, OPEN))).toEqual(hosts.map(() => undefined));
		expect(status("evil.example", OPEN)).toBe(403);
		expect(status("edge-1.evil.example", OPEN)).toBe(403);
		expect(status("example.org", OPEN)).toBe(403);
	});

	test.each([LOCAL, OPEN])("for a name that the configuration lists is answered at $address", (at) => {
		for (const host of ["status.example.org", "Status.Example.org:9141", "status.example.org.:80"]) {
			expect(status(host, at)).toBeUndefined();
		}
	});

	test("that is refused for its name is told what to set", () => {
		expect(refused("www.example.org")?.body.error).toBe(
			"the request names the host www.example.org, which is not this one (ask it as localhost, or list the name that it is asked by in admin.hosts of the configuration)",
		);
		expect(refused("www.example.org", OPEN)?.body.error).toContain("by its IP address or by its hostname, or list the");
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
