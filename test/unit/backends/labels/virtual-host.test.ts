import { describe, expect, test } from "vitest";
import { serviceNameOf } from "../../../../src/backends/labels/service-name.js";
import { declared, type Said, type Short } from "./container.js";

const of = (said: Said) => declared(said, "virtual-host");

const CASES: [string, Said, Short[], string[]?][] = [
	["nothing without hosts", { env: { VIRTUAL_PORT: "x", VIRTUAL_PATH: "/api" } }, []],
	["nothing while the environment is not known", { env: null, exposed: [80] }, []],
	["nothing by a label", { labels: { VIRTUAL_HOST: "a.example" } }, []],
	[
		"port 80 where nothing is exposed",
		{ env: { VIRTUAL_HOST: "a.example" } },
		[{ service: "a.example", port: 80, hosts: ["a.example"] }],
	],
	[
		"the only port that is exposed",
		{ env: { VIRTUAL_HOST: "a.example" }, exposed: [3000] },
		[{ service: "a.example", port: 3000, hosts: ["a.example"] }],
	],
	[
		"port 80 of several",
		{ env: { VIRTUAL_HOST: "a.example" }, exposed: [80, 443] },
		[{ service: "a.example", port: 80, hosts: ["a.example"] }],
	],
	[
		"the port that is said, whatever is exposed",
		{ env: { VIRTUAL_HOST: "a.example", VIRTUAL_PORT: "8080" }, exposed: [80] },
		[{ service: "a.example", port: 8080, hosts: ["a.example"] }],
	],
	[
		"several hosts as one service",
		{ env: { VIRTUAL_HOST: "B.example, a.example,,*.a.example" } },
		[{ service: "b.example", port: 80, hosts: ["b.example", "a.example", "*.a.example"] }],
	],
	[
		"a wildcard under a name that the rule allows",
		{ env: { VIRTUAL_HOST: "*.a.example" } },
		[{ service: serviceNameOf("*.a.example"), port: 80, hosts: ["*.a.example"] }],
	],
	[
		"no regular expression",
		{ env: { VIRTUAL_HOST: "~^a\\..*,a.example" } },
		[{ service: "a.example", port: 80, hosts: ["a.example"] }],
		['VIRTUAL_HOST: must be a DNS name (regular expressions are not supported), not "~^a\\..*"'],
	],
	[
		"no wildcard at the end",
		{ env: { VIRTUAL_HOST: "a.*" } },
		[],
		['VIRTUAL_HOST: must be DNS names with commas between, not "a.*"'],
	],
	[
		"none of several ports without a word",
		{ env: { VIRTUAL_HOST: "a.example" }, exposed: [3000, 3001] },
		[],
		["VIRTUAL_PORT: is missing (the container exposes 3000, 3001, and not 80)"],
	],
	[
		"no port that is none",
		{ env: { VIRTUAL_HOST: "a.example", VIRTUAL_PORT: "http" } },
		[],
		['VIRTUAL_PORT: must be a TCP port from 1 to 65535, not "http"'],
	],
	[
		"the path that is all",
		{ env: { VIRTUAL_HOST: "a.example", VIRTUAL_PATH: "/", VIRTUAL_PROTO: "http" } },
		[{ service: "a.example", port: 80, hosts: ["a.example"] }],
	],
	[
		"no path, nor another protocol",
		{ env: { VIRTUAL_HOST: "a.example", VIRTUAL_PATH: "/api", VIRTUAL_PROTO: "https" } },
		[],
		[
			"VIRTUAL_PATH: is not supported (VIRTUAL_HOST and VIRTUAL_PORT are)",
			"VIRTUAL_PROTO: is not supported (VIRTUAL_HOST and VIRTUAL_PORT are)",
		],
	],
];

describe("VIRTUAL_HOST", () => {
	test.each(CASES)("declares %s", (_what, said, declarations, problems = []) => {
		expect(of(said)).toEqual({ declarations, problems });
	});

	test("has 32 hosts at most", () => {
		const hosts = Array.from({ length: 40 }, (_, at) => `h${at}.example`);
		const { declarations, problems } = of({ env: { VIRTUAL_HOST: hosts.join(",") } });
		expect(declarations).toEqual([{ service: "h0.example", port: 80, hosts: hosts.slice(0, 32) }]);
		expect(problems).toEqual(["VIRTUAL_HOST: has 40 hosts, 32 at most count"]);
	});
});
