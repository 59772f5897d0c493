import { describe, expect, test } from "vitest";
import { readySchema } from "../../../../src/config/schema.js";
import { declared, type Short } from "./container.js";

const gate = (keys: object) => readySchema.parse(keys);

/** Labels of a container, without `solisten.` before each, and what they say. */
const SAID: [string, Record<string, string>, Short[]][] = [
	["nothing", {}, []],
	["one service", { service: "web" }, [{ service: "web" }]],
	["a service and its port", { service: "web", port: "80" }, [{ service: "web", port: 80 }]],
	["space around them", { service: " web\n", port: "\t80 " }, [{ service: "web", port: 80 }]],
	[
		"several by commas",
		{ service: "web,api", port: "80" },
		[
			{ service: "web", port: 80 },
			{ service: "api", port: 80 },
		],
	],
	["several by spaces, one of them twice", { service: "web  api, web" }, [{ service: "web" }, { service: "api" }]],
	[
		"a port for each",
		{ "web.port": "80", "api.port": "81" },
		[
			{ service: "api", port: 81 },
			{ service: "web", port: 80 },
		],
	],
	["a name with dots", { "shop.example.org.port": "80" }, [{ service: "shop.example.org", port: 80 }]],
	[
		"a service that is called as a key",
		{ "port.port": "80", "weight.port": "81" },
		[
			{ service: "port", port: 80 },
			{ service: "weight", port: 81 },
		],
	],
	[
		"what holds for all, and for one",
		{ service: "web", weight: "50", "api.port": "81", "api.weight": "0" },
		[
			{ service: "web", weight: 50 },
			{ service: "api", port: 81, weight: 0 },
		],
	],
	[
		"a port for all but one",
		{ service: "web,api", port: "80", "api.port": "81" },
		[
			{ service: "web", port: 80 },
			{ service: "api", port: 81 },
		],
	],
	["a mode", { service: "db", mode: "tcp" }, [{ service: "db", mode: "tcp" }]],
	[
		"hosts",
		{ service: "web", host: "WWW.Example.org, *.example.org example.org" },
		[{ service: "web", hosts: ["www.example.org", "*.example.org", "example.org"] }],
	],
	[
		"a gate by a path",
		{ service: "web", ready: "/healthz?deep=1" },
		[{ service: "web", ready: gate({ http: "/healthz?deep=1" }) }],
	],
	[
		"a gate with options",
		{ service: "web", ready: "/ timeout=10s  interval=50ms status=200-204" },
		[{ service: "web", ready: gate({ http: "/", timeout: "10s", interval: "50ms", status: "200-204" }) }],
	],
	[
		"a gate by a connection",
		{ service: "db", ready: "tcp timeout=1m" },
		[{ service: "db", ready: gate({ tcp: true, timeout: "1m" }) }],
	],
	["a drain time-out", { service: "web", "drain-timeout": "1.5s" }, [{ service: "web", drainTimeout: 1500 }]],
	["none to wait for", { service: "web", "drain-timeout": "0s" }, [{ service: "web", drainTimeout: 0 }]],
	["that it is enabled", { service: "web", enable: "Yes" }, [{ service: "web" }]],
	["that it is not", { service: "web", enable: "false", wieght: "7" }, []],
	["that it is not, in another word", { service: "web", enable: " NO " }, []],
	["nothing but that it is enabled", { enable: "1" }, []],
];

const A_NAME = "a service's name, or several with commas between (letters, digits and _ . : -, 63 at most)";
const HOSTS = "DNS names such as www.example.org or *.example.org with commas between, 32 at most";
const A_GATE = "a path such as /healthz, or tcp, followed where wanted by timeout=10s, interval=50ms, status=200-204";
const DURATION = "a duration with its unit (250ms, 2s, 5m or 1h), 24h at most";

/** Labels of a container, without `solisten.` before each, and what is wrong with them. */
const WRONG: [Record<string, string>, string, Short[]?][] = [
	[{ service: "" }, `solisten.service: must be ${A_NAME}, not ""`],
	[{ service: "web,-x" }, `solisten.service: must be ${A_NAME}, not "web,-x"`],
	[{ service: "a{b}" }, `solisten.service: must be ${A_NAME}, not "a{b}"`],
	[{ service: "__proto__" }, `solisten.service: must be ${A_NAME}, not "__proto__"`],
	[{ service: "wéb" }, `solisten.service: must be ${A_NAME}, not "wéb"`],
	[{ service: "w\ufffdb" }, `solisten.service: must be ${A_NAME}, not "w\ufffdb"`],
	[{ service: "a\u0000b\u001b[2J" }, `solisten.service: must be ${A_NAME}, not "a\\u{0000}b\\u{001b}[2J"`],
	[{ service: "x".repeat(10_000) }, `solisten.service: must be ${A_NAME}, not "${"x".repeat(60)}…"`],
	[{ service: "web", port: "0" }, 'solisten.port: must be a TCP port from 1 to 65535, not "0"'],
	[{ service: "web", port: "65536" }, 'solisten.port: must be a TCP port from 1 to 65535, not "65536"'],
	[{ service: "web", port: "80,81" }, 'solisten.port: must be a TCP port from 1 to 65535, not "80,81"'],
	[{ service: "web", port: "8e1" }, 'solisten.port: must be a TCP port from 1 to 65535, not "8e1"'],
	[{ service: "web", weight: "257" }, 'solisten.weight: must be a whole number from 0 to 256, not "257"'],
	[{ service: "web", weight: "-1" }, 'solisten.weight: must be a whole number from 0 to 256, not "-1"'],
	[{ service: "web", mode: "HTTP" }, 'solisten.mode: must be http or tcp, not "HTTP"'],
	[{ service: "web", host: "http://a/" }, `solisten.host: must be ${HOSTS}, not "http://a/"`],
	[{ service: "web", host: 'a"\n}' }, `solisten.host: must be ${HOSTS}, not "a"\\u{000a}}"`],
	[{ service: "web", host: "," }, `solisten.host: must be ${HOSTS}, not ","`],
	[{ service: "web", host: "a".repeat(254) }, `solisten.host: must be ${HOSTS}, not "${"a".repeat(60)}…"`],
	[{ service: "web", ready: "healthz" }, `solisten.ready: must be ${A_GATE}, not "healthz"`],
	[{ service: "web", ready: "/a b" }, `solisten.ready: must be ${A_GATE}, not "/a b"`],
	[{ service: "web", ready: "/ timeout=99ms" }, `solisten.ready: must be ${A_GATE}, not "/ timeout=99ms"`],
	[{ service: "web", ready: "/ interval=9ms" }, `solisten.ready: must be ${A_GATE}, not "/ interval=9ms"`],
	[{ service: "web", ready: "/ status=300-200" }, `solisten.ready: must be ${A_GATE}, not "/ status=300-200"`],
	[
		{ service: "web", ready: "tcp timeout=1s timeout=2s" },
		`solisten.ready: must be ${A_GATE}, not "tcp timeout=1s timeout=2s"`,
	],
	[{ service: "web", "drain-timeout": "25h" }, `solisten.drain-timeout: must be ${DURATION}, not "25h"`],
	[{ service: "web", "drain-timeout": "30" }, `solisten.drain-timeout: must be ${DURATION}, not "30"`],
	[{ service: "web", enable: "maybe" }, 'solisten.enable: must be true or false, not "maybe"'],
	[{ port: "80" }, "solisten.port: says nothing without solisten.service, which is missing (the name of the service)"],
	[
		{ service: "web", wieght: "7" },
		"solisten.wieght: unknown label, did you mean solisten.weight? (allowed: solisten. and service, enable, port, weight, mode, host, ready, drain-timeout)",
		[{ service: "web" }],
	],
	[
		{ "web.port": "80", "web.hots": "a" },
		"solisten.web.hots: unknown label, did you mean solisten.web.host? (allowed: solisten.web. and port, weight, mode, host, ready, drain-timeout)",
		[{ service: "web", port: 80 }],
	],
	[
		{ "a b.port": "80" },
		`solisten.a b.port: "a b" can't be a service's name (allowed: letters, digits and _ . : -, 63 at most, the first a letter, digit or _)`,
	],
	[
		{ service: "web", "wbe.weight": "7" },
		"solisten.wbe.weight: no service wbe is named by solisten.service, nor has a port by solisten.wbe.port",
		[{ service: "web" }],
	],
	[
		{ service: "web", "web.weight": "x", weight: "7" },
		'solisten.web.weight: must be a whole number from 0 to 256, not "x"',
	],
	[
		{ service: "web,api", weight: "x", "api.weight": "7" },
		'solisten.weight: must be a whole number from 0 to 256, not "x"',
		[{ service: "api", weight: 7 }],
	],
	[{ service: "web,api", weight: "x" }, 'solisten.weight: must be a whole number from 0 to 256, not "x"'],
];

const labelled = (labels: Record<string, string>) => ({
	labels: Object.fromEntries(Object.entries(labels).map(([key, value]) => [`solisten.${key}`, value])),
});

describe("our own labels", () => {
	test.each(SAID)("say %s", (_what, labels, declarations) => {
		expect(declared(labelled(labels))).toEqual({ declarations, problems: [] });
	});

	test.each(WRONG)("say nonsense by %j, which is told", (labels, problem, declarations = []) => {
		expect(declared(labelled(labels))).toEqual({ declarations, problems: [problem] });
	});

	test("of another name are another tool's", () => {
		const labels = { solisten: "x", "solistend.service": "x", "com.example.solisten.service": "x", Solisten: "x" };
		expect(declared({ labels })).toEqual({ declarations: [], problems: [] });
	});
});
