import { describe, expect, test } from "vitest";
import { hostsOfRule } from "../../../../src/backends/labels/traefik-rule.js";
import { declared, type Said, type Short } from "./container.js";

const of = (said: Said) => declared(said, "traefik");
const labelled = (labels: Record<string, string>, exposed: number[] = []): Said => ({
	labels: Object.fromEntries(Object.entries(labels).map(([key, value]) => [`traefik.${key}`, value])),
	exposed,
});

const RULE = "http.routers.r.rule";
const PORT = "http.services.s.loadbalancer.server.port";
const HOST_A = "Host(`a.example`)";

const CASES: [string, Said, Short[], string[]?][] = [
	["nothing without routers and services", labelled({ enable: "true", "docker.network": "edge" }), []],
	[
		"a service with a rule and a port",
		labelled({ [RULE]: HOST_A, [PORT]: "8080" }, [80]),
		[{ service: "s", port: 8080, hosts: ["a.example"] }],
	],
	[
		"the router's name where no service is named, at the lowest port",
		labelled({ [RULE]: HOST_A }, [80, 443]),
		[{ service: "r", port: 80, hosts: ["a.example"] }],
	],
	["no port where none is exposed", labelled({ [RULE]: HOST_A }), [{ service: "r", hosts: ["a.example"] }]],
	[
		"one service for two routers that name none",
		labelled({ [RULE]: HOST_A, "http.routers.rs.rule": "Host(`b.example`)", "http.routers.rs.tls": "true" }, [80]),
		[{ service: "r", port: 80, hosts: ["a.example", "b.example"] }],
	],
	["a service without a router", labelled({ [PORT]: "80" }), [{ service: "s", port: 80 }]],
	[
		"a router without a rule",
		labelled({ "http.routers.r.entrypoints": "web", [PORT]: "80" }),
		[{ service: "s", port: 80 }],
	],
	[
		"two services, each with its router",
		labelled({
			[RULE]: HOST_A,
			"http.routers.r.service": "s",
			[PORT]: "80",
			"http.routers.q.rule": "Host(`b.example`)",
			"http.routers.q.service": "t@docker",
			"http.services.t.loadbalancer.server.port": "81",
		}),
		[
			{ service: "t", port: 81, hosts: ["b.example"] },
			{ service: "s", port: 80, hosts: ["a.example"] },
		],
	],
	[
		"labels in any case",
		labelled({ "HTTP.Routers.R.Rule": "host(`A.example`)", "HTTP.Services.S.LoadBalancer.Server.Port": "80" }),
		[{ service: "S", port: 80, hosts: ["a.example"] }],
	],
	["nothing where it is disabled", labelled({ enable: "False", [RULE]: HOST_A }), []],
	["nothing of Traefik's own services", labelled({ [RULE]: HOST_A, "http.routers.r.service": "api@internal" }), []],
	[
		"nothing of TCP routers",
		labelled({ "tcp.routers.r.rule": "HostSNI(`*`)", "tcp.services.s.loadbalancer.server.port": "80" }),
		[],
	],
	[
		"the labels of Traefik 1",
		labelled({ "frontend.rule": "Host:a.example,B.example", port: "80", backend: "shop" }),
		[{ service: "shop", port: 80, hosts: ["a.example", "b.example"] }],
	],
	[
		"the container's name with Traefik 1",
		labelled({ "frontend.rule": "Host:a.example" }, [80]),
		[{ service: "web-1", port: 80, hosts: ["a.example"] }],
	],
	[
		"no rule that says more than hosts",
		labelled({ [RULE]: `${HOST_A} && PathPrefix(\`/api\`)`, [PORT]: "80" }),
		[],
		[
			'traefik.http.routers.r.rule: must be a rule of Host alone, such as Host(`www.example.org`) || Host(`example.org`), not "Host(`a.example`) && PathPrefix(`/api`)"',
		],
	],
	[
		"no router that could mean two services",
		labelled({ [RULE]: HOST_A, [PORT]: "80", "http.services.t.loadbalancer.server.port": "81" }),
		[],
		["traefik.http.routers.r.service: is missing (the labels name several services)"],
	],
	[
		"no service of another container",
		labelled({ [RULE]: HOST_A, "http.routers.r.service": "t", [PORT]: "80" }),
		[],
		['traefik.http.routers.r.service: must be a service that the container\'s labels name, not "t"'],
	],
	[
		"no port that is none",
		labelled({ [RULE]: HOST_A, [PORT]: "http" }, [80]),
		[],
		['traefik.http.services.s.loadbalancer.server.port: must be a TCP port from 1 to 65535, not "http"'],
	],
	[
		"no other scheme",
		labelled({ [RULE]: HOST_A, [PORT]: "443", "http.services.s.loadbalancer.server.scheme": "https" }),
		[],
		['traefik.http.services.s.loadbalancer.server.scheme: must be http, not "https"'],
	],
	[
		"nothing where it can't be told whether it is enabled",
		labelled({ [RULE]: HOST_A, enable: "maybe" }),
		[],
		['traefik.enable: must be true or false, not "maybe"'],
	],
];

describe("Traefik's labels", () => {
	test.each(CASES)("declare %s", (_what, said, declarations, problems = []) => {
		expect(of(said)).toEqual({ declarations, problems });
	});
});

describe("a rule", () => {
	test.each([
		["Host(`a.example`)", ["a.example"]],
		['Host("a.example")', ["a.example"]],
		["Host(`a.example`, `b.example`)", ["a.example", "b.example"]],
		["Host(`a.example`)||Host(`b.example`,`A.EXAMPLE`)", ["a.example", "b.example"]],
		[" host ( `a.example` ) ", ["a.example"]],
		["Host: a.example, b.example", ["a.example", "b.example"]],
		["", undefined],
		["Host()", undefined],
		["Host(``)", undefined],
		["Host(`a`,)", undefined],
		["Host(`a`) Host(`b`)", undefined],
		["Host(`a`) ||", undefined],
		["!Host(`a`)", undefined],
		["(Host(`a`) || Host(`b`)) && Path(`/`)", undefined],
		["HostRegexp(`.+`)", undefined],
		["HostSNI(`a`)", undefined],
		["Host(`{sub:.+}.a`)", undefined],
		["Host:a;PathPrefix:/b", undefined],
		["Host(`a\n`)", undefined],
	])("%j has the hosts %j", (rule, hosts) => {
		expect(hostsOfRule(rule)).toEqual(hosts);
	});
});
