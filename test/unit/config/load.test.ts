import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { formatProblem, loadConfig, parseConfig, templateFolders } from "../../../src/config/load.js";
import type { Config } from "../../../src/config/schema.js";

const FILE = "solistend.yaml";

/** The problems of a text, each on its line, without the name of the file. */
function problems(text: string): string[] {
	const loaded = parseConfig(text, FILE);
	return loaded.ok ? [] : loaded.problems.map((problem) => formatProblem(problem).replace(`${FILE}:`, ""));
}

function config(text: string): Config {
	const loaded = parseConfig(text, FILE);
	if (!loaded.ok) throw new Error(loaded.problems.map(formatProblem).join("\n"));
	return loaded.config;
}

describe("a valid configuration", () => {
	test.each(["", "\n", "# nothing but a comment\n", "---\n", "{}", "~", "\ufeff"])("may be empty: %j", (text) => {
		const { host, ...rest } = config(text);
		expect(host.length).toBeGreaterThan(0);
		expect(rest).toEqual({
			addresses: [],
			services: {},
			discovery: { labels: true, allow: [], conventions: [] },
			settle: { quiet: 100, max: 2000 },
			flap: { max: 5, window: 30_000, hold: 10_000 },
			hung: { after: 3000 },
			guard: { maxDrop: 0.5, maxEjected: 0.3 },
			resync: 60_000,
			proxies: [],
			state: "/var/lib/solistend",
			admin: { socket: "/run/solistend/admin.sock", hosts: [] },
			log: { level: "info" },
		});
	});

	test("has the hostname where no host is named", () => {
		expect(config("").host).toBe(hostname().replace(/[^A-Za-z0-9_.:-]/g, "_"));
		expect(config("host: edge-1").host).toBe("edge-1");
	});

	test("has lists, ranges and milliseconds where one value or text was written", () => {
		const { services } = config(`
services:
  web:
    match: {port: 80, hostname: "web-*", netns: 4026532177}
    lastGrace: 1.5s
  api:
    match: {port: ["443", 8000-8099], comm: [a, b]}
`);
		expect(services["web"]).toEqual({
			match: { port: [{ from: 80, to: 80 }], hostname: ["web-*"], netns: [4_026_532_177] },
			mode: "http",
			balance: "roundrobin",
			hosts: [],
			weight: 100,
			prefer: "any",
			lastGrace: 1500,
			drainTimeout: 30_000,
			options: {},
		});
		expect(services["api"]?.match).toEqual({
			port: [
				{ from: 443, to: 443 },
				{ from: 8000, to: 8099 },
			],
			comm: ["a", "b"],
		});
	});

	test("has shares where percentages were written", () => {
		expect(config("guard: {maxDrop: 100%, maxEjected: 0%}").guard).toEqual({ maxDrop: 1, maxEjected: 0 });
		expect(config("guard: {maxDrop: 5%}").guard).toEqual({ maxDrop: 0.05, maxEjected: 0.3 });
	});

	test("may switch off what holds flapping endpoints out", () => {
		expect(config("flap: false").flap).toBe(false);
		expect(config("flap: {max: 3}").flap).toEqual({ max: 3, window: 30_000, hold: 10_000 });
	});

	test("may switch off the look for those that hang, or give them another time", () => {
		expect(config("hung: false").hung).toBe(false);
		expect(config("hung: {after: 500ms}").hung).toEqual({ after: 500 });
	});

	test("may name no stop signal, or several", () => {
		const signals = (list: string) =>
			config(`services: {web: {match: {port: 80}, stopSignals: ${list}}}`).services["web"]?.stopSignals;
		expect(signals("[]")).toEqual([]);
		expect(signals("[SIGQUIT, SIGWINCH]")).toEqual(["SIGQUIT", "SIGWINCH"]);
	});

	test("has the packaged template of each type of proxy where none is named, and the host as its namespace", () => {
		const { proxies } = config(`
proxies:
  - {name: a, type: haproxy, output: /a, masterSocket: /m}
  - {name: b, type: nginx, output: /b, pidFile: /p}
  - {name: c, type: nginx, output: /c, reload: [systemctl, reload, nginx], netns: 4026532177}
  - {name: d, type: file, output: /d, template: eds.yaml.hbs, netns: blue}
`);
		expect(proxies.map(({ template, netns }) => [template, netns])).toEqual([
			["haproxy-backends.cfg.hbs", "host"],
			["nginx-upstreams.conf.hbs", "host"],
			["nginx-upstreams.conf.hbs", 4_026_532_177],
			["eds.yaml.hbs", "blue"],
		]);
	});

	test("may use anchors, number-like names and Windows line ends", () => {
		const { services } = config("services:\r\n  80: &a\r\n    match: {port: 80}\r\n  other: *a\r\n");
		expect(Object.keys(services)).toEqual(["80", "other"]);
	});

	test("may name a service as something that every object has", () => {
		expect(Object.keys(config("services: {constructor: {match: {port: 80}}}").services)).toEqual(["constructor"]);
		expect(problems("proxies: [{name: a, type: haproxy, output: /a, reload: [a], services: [toString]}]")).toEqual([
			'1:72: proxies[0].services[0]: no service is named "toString" (services: has none)',
		]);
	});
});

describe("a problem", () => {
	test.each([
		["services: {web: {match: {port: [80, x]}}}", "1:37: services.web.match.port[1]", "must be a port from 1 to 65535"],
		[
			"services: {web: {match: {port: 70000}}}",
			"1:32: services.web.match.port",
			"must be a whole number from 1 to 65535, not 70000",
		],
		[
			"services: {web: {match: {port: 1.5}}}",
			"1:32: services.web.match.port",
			"must be a whole number from 1 to 65535, not 1.5",
		],
		["services: {web: {match: {port: 90-80}}}", "1:32: services.web.match.port", "with the lower one first, not 90-80"],
		["services: {web: {match: {port: 0-80}}}", "1:32: services.web.match.port", "not 0-80"],
		["services: {web: {match: {port: 1-99999}}}", "1:32: services.web.match.port", "not 1-99999"],
		["services: {web: {match: {port: {a: 1}}}}", "1:32: services.web.match.port", "or a list of them, not a map"],
		["services: {web: {match: {port: }}}", "1:32: services.web.match.port", "is empty, must be a port"],
		["services: {web: {match: {port: []}}}", "1:32: services.web.match.port", "an empty list matches nothing"],
		[
			"services: {web: {match: {netns: 0}}}",
			"1:33: services.web.match.netns",
			"must be a whole number from 1 to 4294967295, not 0",
		],
		["services: {web: {match: {comm: ''}}}", "1:32: services.web.match.comm", "must not be empty"],
		["services: {web: {match: {}}}", "1:25: services.web.match", "needs at least one key"],
		["services: {web: {}}", "1:17: services.web.match", "is missing (which listeners belong to the service"],
		["services:\n  web:\n    weight: 5", "2:3: services.web.match", "is missing"],
		[
			"services: {web: {match: {port: 80}, weight: -1}}",
			"1:45: services.web.weight",
			"must be a whole number from 0 to 256, not -1",
		],
		[
			"services: {web: {match: {port: 80}, weight: x}}",
			"1:45: services.web.weight",
			'must be a whole number from 0 to 256, not "x"',
		],
		[
			"services: {web: {match: {port: 80}, mode: https}}",
			"1:43: services.web.mode",
			'must be http or tcp, not "https" (did you mean http?)',
		],
		[
			"services: {web: {match: {port: 80}, options: {a: {}}}}",
			"1:50: services.web.options.a",
			"must be text, a number, true or false or a list, not a map",
		],
		[
			"services: {web: {match: {port: 80}, options: {a: [{}]}}}",
			"1:51: services.web.options.a[0]",
			"must be text or a number, not a map",
		],
		["services: {'a b': {match: {port: 80}}}", '1:12: services["a b"]', "must be a service's name of letters, digits"],
		["services: {__proto__: {match: {port: 80}}}", "1:12", "has a key that cannot be used: __proto__"],
		["services:", "1:10: services", "is empty, must be a map"],
		["services: []", "1:11: services", "must be a map (key: value), not a list"],
		[
			"addresses: [10.0.0.0]",
			"1:13: addresses[0]",
			'must be a network, such as 10.0.0.0/8 or fd00::/8, not "10.0.0.0"',
		],
		["templates: templates", "1:12: templates", 'must be an absolute path, not "templates"'],
		["resync: 5", "1:9: resync", "must be a duration with its unit (250ms, 2s, 5m or 1h), not 5"],
		["resync: soon", "1:9: resync", 'must be a duration with its unit (250ms, 2s, 5m or 1h), not "soon"'],
		["resync: 0s", "1:9: resync", "must be a duration from 1s to 24h, not 0s"],
		["resync: 600h", "1:9: resync", "must be a duration from 1s to 24h, not 600h"],
		[
			"log: {level: inof}",
			"1:14: log.level",
			'must be trace, debug, info, warn or error, not "inof" (did you mean info?)',
		],
		["guard: {maxDrop: 50}", "1:18: guard.maxDrop", "must be a percentage such as 50%, not 50"],
		["guard: {maxDrop: half}", "1:18: guard.maxDrop", 'must be a percentage such as 50%, not "half"'],
		["guard: {maxEjected: 101%}", "1:21: guard.maxEjected", "must be a percentage from 0% to 100%, not 101%"],
		["flap: true", "1:7: flap", "must be false, or a map of max, window and hold, not true"],
		["hung: true", "1:7: hung", "must be false, or a map with after, not true"],
		["hung: {after: 10ms}", "1:15: hung.after", "must be a duration from 100ms to 24h, not 10ms"],
		["flap: {max: 1}", "1:13: flap.max", "must be a whole number from 2 to 1000, not 1"],
		["flap: {windwo: 1s}", "1:8: flap.windwo", "unknown key, did you mean window? (allowed: max, window, hold)"],
		[
			"services: {web: {match: {port: 80}, stopSignals: [SIGKILL]}}",
			"1:51: services.web.stopSignals[0]",
			'must be SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGWINCH or SIGPWR, not "SIGKILL"',
		],
		[
			"services: {web: {match: {port: 80}, stopSignals: SIGTERM}}",
			"1:50: services.web.stopSignals",
			'must be a list, not "SIGTERM"',
		],
		[
			"proxies: [{name: a, type: nginx, output: /a, masterSocket: /m}]",
			"1:11: proxies[0]",
			"needs reload or pidFile, so that the proxy reads its new file (or mode: observe)",
		],
		[
			"proxies: [{name: a, type: file, output: /a}]",
			"1:11: proxies[0]",
			"needs template: a proxy of type file has none by default",
		],
		[
			"proxies: [{name: a, type: haproxy, output: /a, masterSocket: /m, slots: {growth: 1}}]",
			"1:82: proxies[0].slots.growth",
			"must be a number from 1.1 to 10, not 1",
		],
		[
			"proxies: [{name: a, type: haproxy, output: /a, masterSocket: /m, netns: ''}]",
			"1:73: proxies[0].netns",
			"must not be empty",
		],
		["admin: {socket: admin.sock}", "1:17: admin.socket", 'must be an absolute path, not "admin.sock"'],
		["admin: {hosts: ['http://a.example']}", "1:17: admin.hosts[0]", "must be a DNS name such as edge-1.example.org"],
		["admin: {hosts: ['*.example.org']}", "1:17: admin.hosts[0]", "must be a whole name"],
		["state: state", "1:8: state", 'must be an absolute path, not "state"'],
		["sevices: {}", "1:1: sevices", "unknown key, did you mean services? (allowed: host, addresses,"],
		["settle: {quit: 1s}", "1:10: settle.quit", "unknown key, did you mean quiet? (allowed: quiet, max)"],
		[
			"discovery: {docker: /run/docker.sock}",
			"1:21: discovery.docker",
			'must be unix:// and an absolute path, such as unix:///run/docker.sock, not "/run/docker.sock"',
		],
		[
			"discovery: {docker: unix:///d, conventions: [nginx]}",
			"1:46: discovery.conventions[0]",
			"must be virtual-host, traefik or registrator",
		],
		["discovery: {allow: [{}]}", "1:21: discovery.allow[0]", "needs at least one key (image or name)"],
		[
			"discovery: {docker: unix:///d}\nservices: {web: {match: {container: {}}}}",
			"2:37: services.web.match.container",
			"needs at least one key (name, image or label)",
		],
		["zzz: {}", "1:1: zzz", "unknown key (allowed: host, addresses,"],
		["proxies: [x]", "1:11: proxies[0]", 'must be a map (key: value), not "x"'],
		["just text", "1:1", 'must be a map (key: value), not "just text"'],
		["- a\n- b", "1:1", "must be a map (key: value), not a list"],
	])("of %j is at its place and says what is allowed", (text, place, message) => {
		const [first = "", ...others] = problems(text);
		expect(others).toEqual([]);
		expect(first.startsWith(`${place}: `)).toBe(true);
		expect(first).toContain(message);
	});

	test.each([
		["a: 'x", "1:4: opens a quote that nothing closes"],
		['services:\n  web:\n    match: {comm: "x}\n    weight: 3\n', "3:19: opens a quote that nothing closes"],
		["host: a\nhost: b", "2:1: has the key host twice (keep one of them)"],
		["services:\n\tweb: {}", "2:1: is indented with a tab (use spaces)"],
		["host: a\n---\nhost: b", "2:1: holds a second document (remove the line ---)"],
		["host: *h", "1:7: names an anchor that is not set before it: *h"],
		["host: !env HOST", "1:7: has a tag that means nothing here (remove it): Unresolved tag: !env"],
		["? [a]\n: b", "1:3: has a list or a map as a key (a key is a word)"],
		["host: @a", "1:7: is not valid YAML: plain value cannot start with reserved character @"],
		["[".repeat(10_000), "1:64: nests too deep (64 levels at most)"],
	])("of the YAML %j is reported alone", (text, problem) => {
		expect(problems(text)[0]).toBe(problem);
	});

	test("of an unclosed bracket is where it opens", () => {
		expect(problems("services:\n  web: {match: {port: 80}\nhost: x\n")[0]).toMatch(/^2:8: is not valid YAML: /);
	});

	test("of aliases that multiply is one problem, and takes no time", () => {
		const lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"];
		for (let level = 1; level < 30; level++) {
			lines.push(
				`a${level}: &a${level} [${Array(9)
					.fill(`*a${level - 1}`)
					.join(", ")}]`,
			);
		}
		expect(problems(lines.join("\n"))).toEqual([
			"1:1: is not valid YAML: excessive alias count indicates a resource exhaustion attack",
		]);
	});

	test("repeats what is in the file on one line, cut and without control characters", () => {
		const [problem = ""] = problems(`host: "a\\nb\\e[31m\\u202e${"x".repeat(500)}"`);
		expect(problem).toMatch(/^1:7: host: must be .*, not "a\\u\{000a\}b\\u\{001b\}\[31m\\u\{202e\}x+…"$/);
		expect(problem.length).toBeLessThan(250);
	});

	test("of proxies in two namespaces that would serve one service by label is at the second", () => {
		const edges = (first: string, second: string, discovery = "{docker: unix:///run/docker.sock}") => `
discovery: ${discovery}
proxies:
  - {name: one, type: haproxy, output: /run/a.cfg, masterSocket: /run/m, ${first}}
  - {name: two, type: haproxy, output: /run/b.cfg, masterSocket: /run/m, ${second}}
`;
		const problem = (what: string) =>
			expect.stringMatching(`proxies\\[1\\].netns: is blue, but proxies\\[0\\] serves ${what} too, from host`);
		expect(problems(edges("mode: apply", "netns: blue"))).toEqual([problem("services by label")]);
		expect(problems(edges("mode: apply", "services: [shop], netns: blue"))).toEqual([problem("shop")]);
		expect(problems(edges("services: [shop]", "netns: blue"))).toEqual([problem("shop")]);
		expect(problems(edges("services: [shop]", "services: [api, shop], netns: blue"))).toEqual([problem("shop")]);
		expect(problems(edges("services: [shop]", "services: [api], netns: blue"))).toEqual([]);
		expect(problems(edges("mode: apply", "netns: blue", "{}"))).toEqual([]);
	});

	test("of proxies in two namespaces that serve one service is at the second, and says how to mend it", () => {
		const edges = (second: string) => `
services: {web: {match: {port: 80}}, api: {match: {port: 81}}}
proxies:
  - {name: one, type: haproxy, output: /run/a.cfg, masterSocket: /run/m, services: [api], netns: blue}
  - {name: two, type: haproxy, output: /run/b.cfg, masterSocket: /run/m, ${second}}
`;
		expect(problems(edges("netns: 4026532177"))).toEqual([
			"5:81: proxies[1].netns: is 4026532177, but proxies[0] serves api too, from blue (give each services of its own)",
		]);
		expect(problems(edges("mode: apply"))).toEqual([
			"5:5: proxies[1].netns: is host, but proxies[0] serves api too, from blue (give each services of its own)",
		]);
		expect(problems(edges("services: [web, api], netns: host"))).toEqual([
			"5:103: proxies[1].netns: is host, but proxies[0] serves api too, from blue (give each services of its own)",
		]);
		expect(problems(edges("netns: blue"))).toEqual([]);
		expect(problems(edges("services: [web], netns: red"))).toEqual([]);
		expect(problems(edges("netns: []")).map((problem) => problem.replace(/ must be .*/, ""))).toEqual([
			"5:81: proxies[1].netns:",
		]);
	});

	test("of what only a container engine can tell is told where none is named", () => {
		const text = (docker: string) => `
discovery: {conventions: [traefik]${docker}}
services: {web: {match: {container: {name: a}}}}
proxies: [{name: edge, type: haproxy, output: /run/a.cfg, masterSocket: /run/m, services: [api]}]
`;
		expect(problems(text(""))).toEqual([
			"2:26: discovery.conventions: need a container engine (name the engine's socket as discovery.docker: unix:///run/docker.sock)",
			"3:37: services.web.match.container: needs a container engine (name the engine's socket as discovery.docker: unix:///run/docker.sock)",
			'4:92: proxies[0].services[0]: no service is named "api" (services: web)',
		]);
		// a container may bring the service
		expect(problems(text(", docker: unix:///run/docker.sock"))).toEqual([]);
		expect(problems(text(", docker: unix:///run/docker.sock, labels: false").replace("[traefik]", "[]"))).toHaveLength(
			1,
		);
	});

	test.each([
		[
			"publish: false, subscribe: false",
			"fleet: has publish: false and subscribe: false, so it does nothing (drop one, or fleet)",
		],
		["zones: {far: 20%}", "fleet.zones: need to know where this host is (name its zone: fleet.zone)"],
		[
			"redis: redis://user:secret@a:1",
			'fleet.redis: must be a URL: redis://host:port, rediss://host:port (TLS) or unix:///path, with no user or password (see username and passwordFile), not "redis://user:secret@a:1"',
		],
		["redis: {sentinels: [a:1], url: unix:///r}", "fleet.redis: needs url, sentinels or cluster, one of them"],
		[
			"redis: {url: redis://a, username: u}",
			"fleet.redis.username: needs its password (name the file that holds it: passwordFile)",
		],
		[
			"redis: {url: redis://a, master: m}",
			"fleet.redis.master: is a name that Sentinels know (list them as sentinels, or drop it)",
		],
		[
			"redis: {url: redis://a, tls: {ca: /ca}}",
			"fleet.redis.tls: is asked for, but url is redis:// (write rediss://, or drop tls)",
		],
		[
			"redis: {url: unix:///r, tls: true}",
			"fleet.redis.tls: is asked for, but url is unix:// (drop tls: a unix socket needs none)",
		],
		[
			"redis: {url: rediss://a, tls: false}",
			"fleet.redis.tls: is false, but url is rediss:// (write redis://, or drop tls)",
		],
		[
			"redis: {sentinels: [a:1], sentinelUsername: u}",
			"fleet.redis.sentinelUsername: needs its password (name the file that holds it: sentinelPasswordFile)",
		],
		[
			"redis: {url: redis://a, sentinelPasswordFile: /p}",
			"fleet.redis.sentinelPasswordFile: is for Sentinels (list them as sentinels, or drop it)",
		],
		[
			"redis: {sentinels: [a:1], sentinelTls: {key: /k}}",
			"fleet.redis.sentinelTls: has key without cert (give both, or neither)",
		],
		["redis: {url: rediss://a, tls: {cert: /c}}", "fleet.redis.tls: has cert without key (give both, or neither)"],
	])("of a fleet with %s has its mend", (keys, message) => {
		const redis = keys.startsWith("redis:") ? "" : "redis: redis://a, ";
		expect(problems(`fleet: {${redis}${keys}}`).map((problem) => problem.replace(/^\d+:\d+: /, ""))).toEqual([message]);
	});

	test("of a service that prefers a zone is at the service, with or without a fleet", () => {
		const service = "services: {web: {match: {port: 80}, prefer: zone}}";
		const problem = "1:45: services.web.prefer: is zone, but this host has none (name it: fleet.zone)";
		expect(problems(service)).toEqual([problem]);
		expect(problems(`${service}\nfleet: {redis: redis://a}`)).toEqual([problem]);
		expect(problems(`${service}\nfleet: {redis: redis://a, zone: north, zones: {south: 0%}}`)).toEqual([]);
	});

	test("is none in what may stand beside each other", () => {
		for (const redis of [
			"{sentinels: [a:1]}",
			"{sentinels: [a:1, '[fd00::1]:2'], master: m, passwordFile: /p, tls: {ca: /ca}}",
			"{sentinels: [a:1], tls: true, sentinelTls: false, sentinelUsername: u, sentinelPasswordFile: /p}",
			"{cluster: [a:1], username: u, passwordFile: /p, tls: true}",
			"{url: rediss://a:1/2, tls: {cert: /c, key: /k}}",
		]) {
			expect(problems(`fleet: {redis: ${redis}, publish: false}`)).toEqual([]);
		}
	});

	test("is reported together with all others, in the order of the file", () => {
		expect(
			problems(`
sevices: {}
services:
  web: {match: {port: 80}, weight: 300}
  web: {match: {port: 80}, mode: udp}
settle: {quiet: 5s, max: 1s}
proxies:
  - name: edge
    type: haproxy
    output: /run/a.cfg
    services: [web, wep, web]
  - name: edge
    mode: observe
    output: /run//a.cfg
    template: ""
`).map((problem) => problem.replace(/ \(.*/, "")),
		).toEqual([
			"2:1: sevices: unknown key, did you mean services?",
			"5:3: has the key web twice",
			'5:34: services.web.mode: must be http or tcp, not "udp"',
			"6:17: settle.quiet: must not be longer than settle.max",
			"8:5: proxies[0]: needs reload or masterSocket, so that the proxy reads its new file",
			'11:21: proxies[0].services[1]: no service is named "wep", did you mean web?',
			"11:26: proxies[0].services[2]: is there already, as services[0]",
			"12:5: proxies[1].type: is missing",
			"12:11: proxies[1].name: is the name of proxies[0] too",
			"14:13: proxies[1].output: is the output of proxies[0] too",
			"15:15: proxies[1].template: must not be empty",
		]);
	});
});

describe("a configuration file", () => {
	let folder: string;

	beforeEach(async () => {
		folder = await mkdtemp(join(tmpdir(), "solistend-load-"));
	});

	afterEach(async () => {
		await rm(folder, { recursive: true });
	});

	test("is read and named as it was asked for", async () => {
		const file = join(folder, FILE);
		await writeFile(file, "host: edge-1");
		expect(await loadConfig(file)).toMatchObject({ ok: true, file, config: { host: "edge-1" } });
		await writeFile(file, "\n host: 1");
		expect(await loadConfig(file)).toMatchObject({
			ok: false,
			file,
			problems: [{ file, line: 2, column: 8, path: "host" }],
		});
	});

	test("that is not there, or is a folder, is a problem with its mend", async () => {
		const missing = join(folder, "missing.yaml");
		await mkdir(join(folder, "d"));
		const messages = await Promise.all(
			[missing, join(missing, "x"), join(folder, "d")].map(async (file) => {
				const loaded = await loadConfig(file);
				return loaded.ok ? [] : loaded.problems.map(formatProblem);
			}),
		);
		expect(messages.flat().map((message) => message.replace(folder, ""))).toEqual([
			"/missing.yaml:1:1: cannot be read: there is no such file (create it, or name another with --config)",
			"/missing.yaml/x:1:1: cannot be read: there is no such file (create it, or name another with --config)",
			"/d:1:1: cannot be read: it is a folder (name the file in it)",
		]);
	});

	test("that may not be read is a problem with its mend", async () => {
		const file = join(folder, FILE);
		await writeFile(file, "");
		await chmod(file, 0);
		const loaded = await withoutRoot(() => loadConfig(file));
		expect(loaded).toMatchObject({ ok: false, problems: [{ line: 1, column: 1, path: "" }] });
		expect(loaded.ok ? "" : loaded.problems[0]?.message).toContain(
			"permission denied (let the user that runs solistend",
		);
	});
});

/** Runs a step as a user that file modes apply to. */
async function withoutRoot<T>(step: () => Promise<T>): Promise<T> {
	if (process.geteuid?.() !== 0) return step();
	process.seteuid?.("nobody");
	try {
		return await step();
	} finally {
		process.seteuid?.(0);
	}
}

describe("the folders of templates", () => {
	test("are the one beside the file and the packaged one", () => {
		const [own, packaged] = templateFolders(config(""), "/etc/solistend/solistend.yaml");
		expect(own).toBe("/etc/solistend/templates");
		expect(packaged).toMatch(/\/templates$/);
		expect(packaged).toBe(new URL("../../../templates", import.meta.url).pathname);
	});

	test("begin with the configured one", () => {
		expect(templateFolders(config("templates: /srv/t"), "solistend.yaml")[0]).toBe("/srv/t");
		expect(templateFolders(config(""), "solistend.yaml")[0]).toBe(join(process.cwd(), "templates"));
	});
});
