import { execFileSync } from "node:child_process";
import { chown, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer, get, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Logger, pino } from "pino";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Backend, BackendRef, DesiredService, DesiredSet } from "../../src/backends/backend.js";
import type { ProxyConfig } from "../../src/config/schema.js";
import { askSocket, parseServersState } from "../../src/proxies/haproxy/runtime-api.js";
import { type Loop, openLoop } from "../../src/proxies/loop.js";
import { openDriver, renderProxy } from "../../src/proxies/open.js";
import { proxyConfig as anyProxy, backend as backendOf, PACKAGED, service } from "../desired.js";
import { type Haproxy, startHaproxy } from "../host/haproxy.js";
import { requirePrivileges, skipPrivileged } from "../host/privileges.js";
import { HAPROXY } from "../host/programs.js";

requirePrivileges();

let dir: string;
let output: string;
/** Where HAProxy serves. */
let port: number;
let servers: Server[];
let haproxy: Haproxy | undefined;
let loop: Loop | undefined;
let desired: DesiredSet;
let lines: Record<string, unknown>[];
let log: Logger;

beforeEach(async () => {
	dir = await mkdtemp(join(tmpdir(), "solistend-haproxy-"));
	await mkdir(join(dir, "out"));
	output = join(dir, "out", "haproxy.cfg");
	servers = [];
	// HAProxy shares a port with whoever has it: take one that is free.
	port = await freePort();
	desired = [web()];
	lines = [];
	log = pino({ base: null }, { write: (line: string) => void lines.push(JSON.parse(line)) });
});

afterEach(async () => {
	await loop?.close();
	loop = undefined;
	await haproxy?.stop();
	haproxy = undefined;
	for (const server of servers) await new Promise((resolve) => server.close(resolve));
	await rm(dir, { recursive: true });
});

async function freePort(): Promise<number> {
	const server = createServer();
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	const { port: free } = addressOf(server);
	await new Promise((resolve) => server.close(resolve));
	return free;
}

function addressOf(server: Server): AddressInfo {
	const address = server.address();
	if (address === null || typeof address === "string") throw new Error("no port");
	return address;
}

/** A web server that answers with its port. */
async function startServer(): Promise<number> {
	const server = createServer((_, response) => response.end(String(addressOf(server).port)));
	servers.push(server);
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	return addressOf(server).port;
}

function web(...ports: number[]): DesiredService {
	return service(
		"web",
		ports.map((at) => backend(at)),
	);
}

/** The same server in a backend of another shape, which no command can change. */
const reshaped = (at: number) => service("web", [backend(at)], { balance: "leastconn" });

/** The desired one, by name. */
const wanted = ({ service, id }: BackendRef) =>
	desired.find(({ name }) => name === service)?.backends.find((one) => one.id === id);

function backend(at: number, identity: Partial<Backend["identity"]> = {}): Backend {
	const made = backendOf("web", "127.0.0.1", at);
	return { ...made, identity: { ...made.identity, ...identity } };
}

const proxyConfig = (settings: Record<string, unknown>): ProxyConfig => anyProxy({ output, ...settings });

const wholeFile = (settings: Record<string, unknown> = {}): ProxyConfig =>
	proxyConfig({
		template: "haproxy.cfg.hbs",
		check: [HAPROXY, "-c", "-f", "{{output}}"],
		runtimeSocket: join(dir, "run.sock"),
		masterSocket: join(dir, "master.sock"),
		reloadInterval: "0s",
		options: { bind: `127.0.0.1:${port}` },
		...settings,
	});

const ownFile = () => join(dir, "own.cfg");

const dropIn = (settings: Record<string, unknown> = {}): ProxyConfig =>
	wholeFile({
		template: "haproxy-backends.cfg.hbs",
		check: [HAPROXY, "-c", "-f", ownFile(), "-f", "{{output}}"],
		...settings,
	});

/** What a user has beside the drop-in. */
const writeOwnFile = (more = "") =>
	writeFile(
		ownFile(),
		`global
	stats socket ${join(dir, "run.sock")} mode 600 level admin
defaults
	mode http
	timeout connect 1s
	timeout client 5s
	timeout server 5s
frontend own
	bind 127.0.0.1:${port}
	use_backend static if { path /own }
	default_backend web
backend static
	http-request return status 200 content-type text/plain string "own"
${more}`,
	);

/** Renders what is desired now and starts HAProxy with it. */
async function start(proxy: ProxyConfig, configFiles: readonly string[] = [output]): Promise<Haproxy> {
	await writeFile(output, await renderProxy(proxy, "h", PACKAGED, desired));
	haproxy = await startHaproxy({ dir, configFiles });
	return haproxy;
}

async function open(proxy: ProxyConfig, folders: readonly string[] = PACKAGED): Promise<Loop> {
	const driver = await openDriver(proxy, "h", folders);
	loop = openLoop({ proxy, driver, desired: () => desired, backend: wanted, settle: { quiet: 50, max: 500 }, log });
	await untilStatus((state) => state !== "starting");
	return loop;
}

/** Changes what is desired, and waits for the line that says what became of it. */
async function change(services: DesiredSet, message = "applied"): Promise<Record<string, unknown>> {
	const before = lines.length;
	desired = services;
	loop?.notify({ atMs: performance.now(), removal: false, touched: undefined });
	return untilLine(message, before);
}

const untilLine = (message: string, from = 0): Promise<Record<string, unknown>> =>
	vi.waitFor(
		() => {
			const line = lines.slice(from).find(({ msg }) => msg === message);
			if (line === undefined) throw new Error(`no "${message}" in ${JSON.stringify(lines)}`);
			return line;
		},
		{ timeout: 20_000, interval: 2 },
	);

const untilStatus = (isSo: (state: string | undefined) => boolean) =>
	vi.waitFor(
		() => {
			if (!isSo(loop?.status.state)) throw new Error(`status ${JSON.stringify(loop?.status)}`);
		},
		{ timeout: 20_000, interval: 2 },
	);

/** Status and body through HAProxy, each over a new connection. */
function ask(path = "/", headers: Record<string, string> = {}): Promise<{ status: number; body: string }> {
	return new Promise((resolve, reject) => {
		get({ host: "127.0.0.1", port, path, headers, agent: false }, (response) => {
			let body = "";
			response.setEncoding("utf8").on("data", (text: string) => {
				body += text;
			});
			response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
		}).on("error", reject);
	});
}

async function answersOf(count: number): Promise<string[]> {
	const bodies = new Set<string>();
	for (let asked = 0; asked < count; asked++) {
		const { status, body } = await ask();
		bodies.add(status === 200 ? body : String(status));
	}
	return [...bodies].sort();
}

const live = () => readFile(output, "utf8");

const workersStarted = () => (haproxy?.log().match(/New worker/g) ?? []).length;

describe("a whole file", () => {
	test("follows what joins and leaves, and answers 503 when nobody is left", async () => {
		const [one, two] = [await startServer(), await startServer()];
		const proxy = wholeFile();
		await start(proxy);
		await open(proxy);
		expect(await answersOf(1)).toEqual(["503"]);

		const joined = await change([web(one)]);
		expect(joined).toMatchObject({ proxy: "edge", joined: [`web/127.0.0.1:${one}`], left: [], reload: false });
		expect(joined).toMatchObject({
			stagesMs: {
				settle: expect.any(Number),
				render: expect.any(Number),
				runtime: expect.any(Number),
				check: expect.any(Number),
				swap: expect.any(Number),
			},
		});
		expect(await answersOf(4)).toEqual([String(one)]);

		await change([web(one, two)]);
		expect(await answersOf(8)).toEqual([one, two].map(String).sort());

		const left = await change([web(two)]);
		expect(left).toMatchObject({ joined: [], left: [`web/127.0.0.1:${one}`] });
		expect(await answersOf(4)).toEqual([String(two)]);

		await change([web()]);
		expect(await answersOf(1)).toEqual(["503"]);
		expect(await readdir(join(dir, "out"))).toEqual(["haproxy.cfg"]);
		expect(workersStarted()).toBe(1);
	});

	test("routes by host, and serves tcp where it is told to", async () => {
		const [one, two, three] = [await startServer(), await startServer(), await startServer()];
		const tcpPort = await freePort();
		desired = [
			service("any", [backend(two)], { hosts: ["*.example.org"] }),
			service("raw", [backend(three)], { mode: "tcp", options: { bind: `127.0.0.1:${tcpPort}` } }),
			service("www", [backend(one)], { hosts: ["www.example.org"] }),
		];
		await start(wholeFile());
		expect(await ask("/", { host: "www.example.org" })).toEqual({ status: 200, body: String(one) });
		expect(await ask("/", { host: "WWW.example.org:8080" })).toEqual({ status: 200, body: String(one) });
		expect(await ask("/", { host: "a.example.org" })).toEqual({ status: 200, body: String(two) });
		expect((await ask("/", { host: "example.com" })).status).toBe(503);
		port = tcpPort;
		expect(await ask()).toEqual({ status: 200, body: String(three) });
	});

	test("loses no request while it is reloaded again and again", async () => {
		const [one, two] = [await startServer(), await startServer()];
		desired = [web(one)];
		const proxy = wholeFile();
		await start(proxy);
		await open(proxy);
		let asking = true;
		const statuses = new Map<number, number>();
		const client = (async () => {
			while (asking) {
				const { status } = await ask();
				statuses.set(status, (statuses.get(status) ?? 0) + 1);
			}
		})();
		for (const balance of ["leastconn", "roundrobin", "first", "random"]) {
			await change([service("web", [backend(one), backend(two)], { balance })]);
		}
		asking = false;
		await client;
		expect([...statuses.keys()]).toEqual([200]);
		expect(statuses.get(200)).toBeGreaterThan(10);
		expect(workersStarted()).toBe(5);
	});
});

describe("a drop-in beside a user's own file", () => {
	test("follows what joins and leaves, and leaves the rest alone", async () => {
		const [one, two] = [await startServer(), await startServer()];
		const proxy = dropIn();
		await writeOwnFile();
		await start(proxy, [ownFile(), output]);
		await open(proxy);
		expect((await ask()).status).toBe(503);
		await change([web(one, two)]);
		expect(await answersOf(8)).toEqual([one, two].map(String).sort());
		const left = await change([web(one)]);
		expect(left["left"]).toEqual([`web/127.0.0.1:${two}`]);
		expect(await answersOf(4)).toEqual([String(one)]);
		expect(await ask("/own")).toEqual({ status: 200, body: "own" });
	});

	test("by a reload command, verified over the runtime socket", async () => {
		const one = await startServer();
		await writeOwnFile();
		desired = [web()];
		const { pid } = await start(dropIn(), [ownFile(), output]);
		await open(dropIn({ reload: ["sh", "-c", `kill -USR2 ${pid}`] }));
		expect(await change([reshaped(one)])).toMatchObject({ reload: true });
		expect(workersStarted()).toBe(2);
		expect(await ask()).toEqual({ status: 200, body: String(one) });
	});

	test("that HAProxy does not load is told, with the mend", async () => {
		const one = await startServer();
		await writeOwnFile("backend web\n");
		await writeFile(output, "");
		haproxy = await startHaproxy({ dir, configFiles: [ownFile()] });
		// longer than until its new worker is noticed: what is brought to that by commands must not count
		await open(dropIn({ check: undefined, timeout: "3s" }));
		const failed = await change([web(one)], "not applied");
		expect(failed["reason"]).toMatch(/its new worker has no web\/s1 and 7 more \(does HAProxy load .*haproxy\.cfg\?/);
	});
});

describe("what fails leaves the proxy serving what it had", () => {
	let one: number;
	let two: number;

	beforeEach(async () => {
		[one, two] = [await startServer(), await startServer()];
		desired = [web(one)];
	});

	/** HAProxy serves `one`; the change has to fail. */
	async function failing(proxy: ProxyConfig, services: DesiredSet = [reshaped(one)]) {
		const before = await live();
		await open(proxy);
		const failed = await change(services, "not applied");
		expect(await live()).toBe(before);
		expect(await answersOf(4)).toEqual([String(one)]);
		return failed;
	}

	test("a check that fails keeps the live file, and says what HAProxy said", async () => {
		const proxy = wholeFile();
		await start(proxy);
		const failed = await failing(proxy, [service("web", [backend(one)], { balance: "nonsense" })]);
		const rejected = join(dir, "out", ".haproxy.cfg.rejected");
		expect(failed["reason"]).toMatch(
			new RegExp(
				`^check command "${HAPROXY} -c -f ${rejected}" exited with code 1: config : parsing \\[${rejected}:\\d+\\] : balance only supports .*\\(the rejected file is kept as ${rejected}\\)$`,
			),
		);
		expect(failed).toMatchObject({ serving: "the previous configuration, which was not touched" });
		expect(failed["retryInMs"]).toBeGreaterThan(0);
		expect(await readFile(rejected, "utf8")).toContain("balance nonsense");
		expect(workersStarted()).toBe(1);
		await change([web(two)]);
		expect(await answersOf(2)).toEqual([String(two)]);
	});

	test("a reload command that fails", async () => {
		await start(wholeFile());
		const failed = await failing(wholeFile({ reload: ["sh", "-c", "echo access denied >&2; exit 4"] }));
		expect(failed["reason"]).toMatch(
			/^reload command ".*" exited with code 4: access denied; the previous file is back, but loading it failed too: /,
		);
	});

	test("a reload command that hangs", async () => {
		await start(wholeFile());
		const failed = await failing(wholeFile({ reload: ["sleep", "60"], timeout: "2s" }));
		expect(failed["reason"]).toMatch(/^reload command "sleep 60" did not end within 2000 ms and was stopped/);
	});

	test("a reload command that does not reload", async () => {
		await start(wholeFile());
		const failed = await failing(wholeFile({ reload: ["true"], timeout: "2s" }));
		expect(failed["reason"]).toMatch(
			/^HAProxy did not take the new file within 2000 ms: the old worker still answers .*; the previous file is back$/,
		);
		expect(failed["serving"]).toBe("the previous configuration, loaded again");
	});

	test("a reload that HAProxy refuses, here because of the user's own file", async () => {
		await writeOwnFile();
		await start(dropIn(), [ownFile(), output]);
		await writeOwnFile("garbage\n");
		const failed = await failing(dropIn({ check: undefined }));
		// 2.6 tells it to its log only, later versions in their answer
		expect(failed["reason"]).toMatch(
			/^HAProxy refused the reload and keeps its configuration: (its log says why;|.*unknown keyword 'garbage')/,
		);
		await writeOwnFile();
		await untilLine("applied");
		expect(await live()).toContain("balance leastconn");
		expect(workersStarted()).toBe(2);
	});

	test("a check program that is not installed", async () => {
		await start(wholeFile());
		const failed = await failing(wholeFile({ check: ["haproxy-9", "-c", "-f", "{{output}}"] }));
		expect(failed["reason"]).toContain("haproxy-9 is not installed (install it, or give its full path)");
	});

	test("a template that fails", async () => {
		await start(wholeFile());
		const template = join(dir, "own.hbs");
		await writeFile(template, "{{> haproxy.cfg.hbs}}\n{{#each services}}{{#each backends}}{{nmae}}{{/each}}{{/each}}");
		const failed = await failing(wholeFile({ template }));
		expect(failed["reason"]).toContain(`cannot use template ${template}:2:`);
		expect(failed["reason"]).toContain('unknown name "nmae"');
	});
});

describe("an output that can't be written is named, with the mend", () => {
	async function failure(at: string): Promise<unknown> {
		await open(wholeFile({ output: at }));
		return (await untilLine("not applied"))["reason"];
	}

	test("when its folder does not exist", async () => {
		expect(await failure(join(dir, "none", "haproxy.cfg"))).toContain(
			`the folder ${join(dir, "none")} does not exist (create it, or change output)`,
		);
	});

	test("when its folder is a file", async () => {
		await writeFile(join(dir, "file"), "");
		expect(await failure(join(dir, "file", "haproxy.cfg"))).toContain(`${join(dir, "file")} is not a folder`);
	});

	test("when it is a folder", async () => {
		await mkdir(output);
		expect(await failure(output)).toContain("it is a folder (name a file in it as output)");
	});

	test.skipIf(skipPrivileged)("when its file system is read-only", async () => {
		const readOnly = join(dir, "ro");
		await mkdir(readOnly);
		execFileSync("mount", ["-t", "tmpfs", "-o", "ro", "solistend-test", readOnly]);
		try {
			expect(await failure(join(readOnly, "haproxy.cfg"))).toContain(
				`the file system of ${readOnly} is read-only (mount it writable, or change output)`,
			);
			await loop?.close();
		} finally {
			execFileSync("umount", [readOnly]);
		}
	});
});

test.skipIf(skipPrivileged)("a file keeps its owner and mode", async () => {
	await writeFile(output, "", { mode: 0o640 });
	await chown(output, 12_345, 23_456);
	await open(wholeFile());
	expect(await stat(output)).toMatchObject({ uid: 12_345, gid: 23_456, mode: 0o100640 });
	expect(await live()).toContain("backend web");
});

describe("a HAProxy that does not run", () => {
	test("gets its file, is reported, and is found in step when it has started, without a reload", async () => {
		const one = await startServer();
		desired = [web(one)];
		await open(wholeFile());
		expect(lines).toMatchObject([
			{ msg: "applied", reload: false, joined: [`web/127.0.0.1:${one}`] },
			{ msg: "proxy unreachable", reason: expect.stringContaining("run.sock is not there (is HAProxy running") },
		]);
		expect(loop?.status.state).toBe("unreachable");
		haproxy = await startHaproxy({ dir, configFiles: [output] });
		expect(await answersOf(2)).toEqual([String(one)]);
		await untilStatus((state) => state === "applied");
		expect(workersStarted()).toBe(1);
		const two = await startServer();
		await change([web(two)]);
		expect(await answersOf(2)).toEqual([String(two)]);
	});

	test("gets no file that fails its check", async () => {
		desired = [service("web", [], { balance: "nonsense" })];
		await open(wholeFile());
		await untilLine("not applied");
		expect(await readdir(join(dir, "out"))).toEqual([".haproxy.cfg.rejected"]);
	});
});

describe("a daemon that starts again", () => {
	test("changes nothing when nothing has changed", async () => {
		const one = await startServer();
		const proxy = wholeFile();
		await start(proxy);
		await open(proxy);
		await change([web(one)]);
		await loop?.close();
		const before = await stat(output);
		lines.length = 0;

		const driver = await openDriver(proxy, "h", PACKAGED);
		const signal = new AbortController().signal;
		const actual = await driver.read(signal);
		driver.take?.(actual);
		expect(driver.plan(actual, desired)).toMatchObject({ steps: [], reload: false });
		await driver.close();
		await open(proxy);
		expect(loop?.status).toEqual({ state: "applied" });
		expect(lines).toEqual([]);
		expect(workersStarted()).toBe(1);
		expect((await stat(output)).ino).toBe(before.ino);
	});

	test("reloads when it was stopped between the swap and the reload", async () => {
		const one = await startServer();
		desired = [web(one)];
		const proxy = wholeFile();
		await start(proxy);
		await open(wholeFile({ reload: ["sh", "-c", `echo > ${join(dir, "hanging")}; sleep 60`] }));
		// The same servers, so that nothing live tells that the file was not read.
		desired = [reshaped(one)];
		loop?.notify({ atMs: performance.now(), removal: false, touched: undefined });
		await vi.waitFor(() => stat(join(dir, "hanging")), { timeout: 10_000, interval: 5 });
		await loop?.close();
		expect(await live()).toContain("balance leastconn");

		await open(proxy);
		expect(lines).toMatchObject([{ msg: "applied", reload: true, joined: [], left: [] }]);
		expect(workersStarted()).toBe(2);
		expect(await readdir(join(dir, "out"))).toEqual(["haproxy.cfg"]);
	});

	test("needs no reload when the file is right and HAProxy lacks a server", async () => {
		const one = await startServer();
		const proxy = wholeFile();
		await start(proxy);
		desired = [web(one)];
		await writeFile(output, await renderProxy(proxy, "h", PACKAGED, desired));
		await open(proxy);
		expect(lines).toMatchObject([{ msg: "applied", reload: false, joined: [`web/127.0.0.1:${one}`] }]);
		expect(await answersOf(1)).toEqual([String(one)]);
		expect(workersStarted()).toBe(1);
	});
});

test("in observe mode nothing is changed", async () => {
	const one = await startServer();
	const proxy = wholeFile({ mode: "observe" });
	await start(proxy);
	const before = await live();
	await open(proxy);
	const line = await change([web(one)], "would apply");
	expect(line["joined"]).toEqual([`web/127.0.0.1:${one}`]);
	expect(line["steps"]).toEqual([
		`set server web/s1 addr 127.0.0.1 port ${one}`,
		"set server web/s1 state ready",
		expect.stringMatching(/^write /),
	]);
	expect(await live()).toBe(before);
	expect(workersStarted()).toBe(1);
});

test("what a container calls itself never changes the meaning of the file", async () => {
	const names = [
		"a\nserver evil 10.9.9.9:80",
		"b\r\n\tserver evil 10.9.9.9:80",
		'c" "d',
		"e' 'f",
		"g} { h",
		"i # j",
		"k\\",
		"l$HOME",
		"m\u0000n\u2028o",
		"{{host}}",
	];
	const ports = await Promise.all(names.map(() => startServer()));
	const template = join(dir, "names.hbs");
	await writeFile(
		template,
		`{{> haproxy.cfg.hbs}}
backend named
{{#each services as |service|}}
{{#each service.backends}}
	# {{hostname}} {{comm}} {{unit}} {{netns}} {{container}}
	server {{hostname}} {{hostport address port}} weight {{weight}} # {{comm}}
{{/each}}
{{/each}}
`,
	);
	const proxy = wholeFile({ template });
	await start(proxy);
	await open(proxy, PACKAGED);
	await change([
		service(
			"web",
			names.map((name, index) =>
				backend(ports[index] ?? 0, { hostname: name, comm: name, unit: name, netnsName: name, container: name }),
			),
		),
	]);
	const answer = await askSocket({
		socket: join(dir, "run.sock"),
		command: "show servers state named",
		timeoutMs: 5000,
		signal: new AbortController().signal,
	});
	if (!answer.ok) throw new Error(answer.why);
	const shown = parseServersState(answer.text);
	expect(shown.map(({ server }) => server).sort()).toEqual(
		[
			"a_server_evil_10.9.9.9:80",
			"b___server_evil_10.9.9.9:80",
			"c___d",
			"e___f",
			"g____h",
			"i___j",
			"k_",
			"l_HOME",
			"m_n_o",
			"__host__",
		].sort(),
	);
	expect(shown.map(({ port: at }) => at).sort()).toEqual([...ports].sort());
	expect(shown.every(({ weight }) => weight === 100)).toBe(true);
});
