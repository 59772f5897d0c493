import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
	diffUpstreams,
	parseUpstreams,
	upstreamServers,
	withoutUpstreamServers,
} from "../../../../src/proxies/nginx/upstreams.js";
import { renderProxy } from "../../../../src/proxies/open.js";
import { backend, PACKAGED, proxyConfig, service } from "../../../desired.js";

const keys = (text: string) =>
	Object.fromEntries([...parseUpstreams(text)].map(([name, servers]) => [name, [...servers.keys()]]));

describe("the upstreams of a file", () => {
	test("are read with their servers, in canonical text", () => {
		const text = `
upstream web {
	least_conn; server 10.0.0.1:80 weight=5 max_fails=0;
	server [FD00:0::1]:8080; server 10.0.0.2;
}
http { upstream "api" { server 10.0.0.3:81; } }
upstream empty { server 127.0.0.1:9 down; }
`;
		expect(keys(text)).toEqual({
			web: ["10.0.0.1:80", "fd00::1:8080", "10.0.0.2:80"],
			api: ["10.0.0.3:81"],
			empty: [],
		});
		expect(upstreamServers(parseUpstreams(text))).toContainEqual({ service: "web", address: "fd00::1", port: 8080 });
	});

	test("are not what stands in comments, quotes and other blocks", () => {
		const text = `
# upstream no { server 10.0.0.1:80; }
log_format main "upstream no { server 10.0.0.1:80; }" 'it''s # no comment';
server { listen 80; server_name upstream; location / { return 200 "}\\"}"; } }
upstream web {
	# server 10.0.0.2:80;
	server 10.0.0.3:80; # server 10.0.0.4:80;
}
`;
		expect(keys(text)).toEqual({ web: ["10.0.0.3:80"] });
	});

	test("have no servers with names, paths, or an address on which the file itself listens", () => {
		const text = `
server { listen 127.0.0.1:1503; listen [FD00::0:1]:1503 ipv6only=on; return 503; }
upstream web { server [fd00::1]:1503; server backend.example.org:80; server unix:/run/a.sock; server 127.0.0.1:1503; server [::1; server 1.2.3.4:x; }
`;
		expect(keys(text)).toEqual({ web: [] });
	});

	test("can be left without servers, and all else as it is", () => {
		const text = `
server { listen 127.0.0.1:1503; return 503; }
upstream web {
	server 10.0.0.1:80 weight=5; server [fd00::1]:80 # the second
	;
	server 127.0.0.1:1503; server 10.0.0.2:80 down; # server 10.0.0.3:80;
}
`;
		expect(withoutUpstreamServers(text)).toBe(`
server { listen 127.0.0.1:1503; return 503; }
upstream web {
	server 10.0.0.1:80 weight=5 down; server [fd00::1]:80 # the second
	 down;
	server 127.0.0.1:1503; server 10.0.0.2:80 down; # server 10.0.0.3:80;
}
`);
		const pieces = fc.constantFrom(
			"upstream a {",
			"}",
			";",
			'"',
			"#",
			"\n",
			" ",
			"server ",
			"1.2.3.4:5",
			"down",
			"listen ",
		);
		fc.assert(
			fc.property(fc.array(pieces), (parts) => {
				const without = withoutUpstreamServers(parts.join(""));
				expect(upstreamServers(parseUpstreams(without))).toEqual([]);
				expect(withoutUpstreamServers(without)).toBe(without);
			}),
		);
	});

	test("are read from any text without a failure", () => {
		fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => parseUpstreams(text) instanceof Map));
		const pieces = fc.constantFrom("upstream ", "a ", "{", "}", ";", '"', "'", "\\", "#", "\n", "server ", "1.2.3.4:5");
		fc.assert(fc.property(fc.array(pieces), (parts) => parseUpstreams(parts.join("")) instanceof Map));
	});

	test("are those that were rendered, whatever they are", async () => {
		const address = fc.oneof(fc.ipV4(), fc.constantFrom("fd00::1", "2001:db8::2", "fe80::3"));
		const backends = fc.uniqueArray(fc.tuple(address, fc.integer({ min: 1, max: 65_535 })), {
			selector: (pair) => pair.join(),
			maxLength: 5,
		});
		const proxy = proxyConfig({ type: "nginx" });
		await fc.assert(
			fc.asyncProperty(backends, async (pairs) => {
				const all = pairs.map(([host, port]) => backend("web", host, port));
				const text = await renderProxy(proxy, "h", PACKAGED, [service("web", all)]);
				expect(upstreamServers(parseUpstreams(text))).toEqual(
					pairs.map(([host, port]) => ({ service: "web", address: host, port })),
				);
			}),
			{ numRuns: 30 },
		);
	});

	test("differ by the servers that joined and left", () => {
		const before = parseUpstreams(
			"upstream a { server 10.0.0.1:80; server 10.0.0.2:80; } upstream gone { server 10.0.0.1:80; }",
		);
		const after = parseUpstreams("upstream a { server 10.0.0.2:80; server 10.0.0.1:81; }");
		expect(diffUpstreams(before, after)).toEqual({
			joined: ["a/10.0.0.1:81"],
			left: ["a/10.0.0.1:80", "gone/10.0.0.1:80"],
		});
	});
});
