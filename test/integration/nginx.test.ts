import { mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { DesiredSet } from "../../src/backends/backend.js";
import type { ProxyConfig } from "../../src/config/schema.js";
import { openDriver } from "../../src/proxies/open.js";
import { PACKAGED } from "../desired.js";
import { startClient } from "../host/client.js";
import { eventually } from "../host/eventually.js";
import { backend, type Followed, follow, proxyConfig, rendered, service } from "../host/followed.js";
import { ask } from "../host/http.js";
import { type Lifetime, lifetime } from "../host/lifetime.js";
import { httpLines, mainLines, type Nginx, pidFileIn, startNginx, WORKERS, wholeFile } from "../host/nginx.js";
import { freePort } from "../host/port.js";
import { startPortServer } from "../host/port-server.js";
import { requirePrivileges } from "../host/privileges.js";
import { NGINX } from "../host/programs.js";
import { tempFolder } from "../host/temp-folder.js";

requirePrivileges();

let owned: Lifetime;
let folder: string;
/** Folder that Nginx includes all of, or of the whole file. */
let included: string;
/** Where Nginx serves. */
let port: number;
let url: string;

beforeEach(async () => {
	owned = lifetime();
	({ path: folder } = owned.own(await tempFolder("solistend-nginx-proxy")));
	included = join(folder, "conf.d");
	await mkdir(included);
	port = await freePort();
	url = `http://127.0.0.1:${port}/`;
});

afterEach(() => owned.close());

const ownFile = () => join(folder, "nginx.conf");

/** What a user has beside the drop-in: it includes everything in the folder, whatever its name. */
const writeOwnFile = (more = "") =>
	writeFile(
		ownFile(),
		`${mainLines(folder).join("\n")}
pid ${pidFileIn(folder)};
worker_processes ${WORKERS};
worker_shutdown_timeout 2s;
events {}
http {
	${httpLines(folder).join("\n\t")}
	include ${included}/*;
	proxy_connect_timeout 1s;
	server {
		listen 127.0.0.1:${port};
		location / { proxy_pass http://web; }
		location = /own { return 200 own; }
	}
${more}}
`,
	);

const dropIn = (settings: Record<string, unknown> = {}): ProxyConfig =>
	proxyConfig({
		type: "nginx",
		output: join(included, "upstreams.conf"),
		check: [NGINX, "-t", "-c", ownFile()],
		pidFile: pidFileIn(folder),
		...settings,
	});

const whole = (settings: Record<string, unknown> = {}): ProxyConfig =>
	proxyConfig({ ...wholeFile(folder, join(included, "nginx.conf"), port), ...settings });

/** Starts Nginx with what is desired, as it would be written. */
async function start(proxy: ProxyConfig, desired: DesiredSet): Promise<Nginx> {
	await writeFile(proxy.output, await rendered(proxy, desired));
	if (proxy.template !== "nginx.conf.hbs") await writeOwnFile();
	return owned.own(await startNginx(folder, proxy.template === "nginx.conf.hbs" ? proxy.output : ownFile()));
}

async function open(proxy: ProxyConfig, desired: DesiredSet): Promise<Followed> {
	return owned.own(await follow(proxy, desired));
}

const web = (...ports: number[]): DesiredSet => [service("web", ports)];

async function startServers(count: number): Promise<number[]> {
	const servers = await Promise.all(Array.from({ length: count }, () => startPortServer()));
	return servers.map((server) => owned.own(server).port);
}

/** What that many requests are answered with: the body of 200, else the status. */
async function answersOf(count: number, path = ""): Promise<string[]> {
	const answers = new Set<string>();
	for (let asked = 0; asked < count; asked++) {
		const { status, body } = await ask(`${url}${path}`);
		answers.add(status === 200 ? body : String(status));
	}
	return [...answers].sort();
}

const isReloaded = (before: readonly number[], after: readonly number[]) =>
	after.length > 0 && after.every((pid) => !before.includes(pid));

describe("a drop-in among the files that Nginx includes", () => {
	test("follows what joins and leaves, and leaves the rest alone", async () => {
		const [one = 0, two = 0] = await startServers(2);
		const proxy = dropIn();
		await start(proxy, web());
		const followed = await open(proxy, web());
		expect(followed.status).toEqual({ state: "applied" });
		expect(followed.lines).toEqual([]);
		expect(await answersOf(1)).toEqual(["502"]);

		const joined = await followed.change(web(one));
		expect(joined).toMatchObject({ proxy: "edge", joined: [`web/127.0.0.1:${one}`], left: [], reload: true });
		expect(Object.keys(Object(joined["stagesMs"]))).toEqual(
			expect.arrayContaining(["stage", "check", "swap", "reload", "verify"]),
		);
		expect(await answersOf(4)).toEqual([String(one)]);

		await followed.change(web(one, two));
		expect(await answersOf(8)).toEqual([one, two].map(String).sort());
		expect(await answersOf(1, "own")).toEqual(["own"]);

		const left = await followed.change(web(two));
		expect(left).toMatchObject({ joined: [], left: [`web/127.0.0.1:${one}`] });
		expect(await answersOf(4)).toEqual([String(two)]);

		await followed.change(web());
		expect(await answersOf(1)).toEqual(["502"]);
		expect(await readdir(included)).toEqual(["upstreams.conf"]);
	});

	test("answers 503 for an empty service where it was given an address for that", async () => {
		const [one = 0] = await startServers(1);
		const proxy = dropIn({ options: { unavailable: `127.0.0.1:${await freePort()}` } });
		await start(proxy, web(one));
		const followed = await open(proxy, web(one));
		expect(await followed.change(web())).toMatchObject({ left: [`web/127.0.0.1:${one}`], joined: [] });
		expect(await answersOf(1)).toEqual(["503"]);
		const driver = await openDriver(proxy, "h", PACKAGED);
		expect(driver.serversOf(await driver.read(new AbortController().signal))).toEqual([]);
	});

	test("is written for the first time, and is empty for nobody but the check", async () => {
		const [one = 0] = await startServers(1);
		const proxy = dropIn();
		await writeFile(join(included, "first.conf"), `upstream web { server 127.0.0.1:${one}; }\n`);
		await writeOwnFile();
		owned.own(await startNginx(folder, ownFile()));
		await rm(join(included, "first.conf"));
		await open(proxy, web(one));
		expect(await answersOf(2)).toEqual([String(one)]);
		expect(await readdir(included)).toEqual(["upstreams.conf"]);
	});

	test("loses no request while backends come and go under load", async () => {
		const [one = 0, two = 0, three = 0] = await startServers(3);
		const proxy = dropIn();
		await start(proxy, web(one, two));
		const followed = await open(proxy, web(one, two));
		const clients = [startClient(url), startClient(url), startClient(url)];
		for (const set of [web(two, three), web(one, three), web(one, two, three), web(three), web(one, two)]) {
			await followed.change(set);
		}
		await eventually("each client has asked", () => clients.every(({ asked }) => asked > 5));
		await Promise.all(clients.map((client) => client.close()));
		expect(clients.map(({ failed }) => failed)).toEqual([0, 0, 0]);
	});

	test("loses no request while backends are restarted one after the other under load", async () => {
		const ports = await startServers(1);
		let restarted = owned.own(await startPortServer());
		const proxy = dropIn({ reloadInterval: "100ms" });
		await start(proxy, web(...ports, restarted.port));
		const followed = await open(proxy, web(...ports, restarted.port));
		const clients = [startClient(url), startClient(url), startClient(url)];
		for (let round = 0; round < 3; round++) {
			const asked = clients.map((client) => client.asked);
			await restarted.close();
			await followed.change(web(...ports));
			restarted = owned.own(await startPortServer(restarted.port));
			await followed.change(web(...ports, restarted.port));
			await eventually("all clients went on", () => clients.every((client, at) => client.asked > (asked[at] ?? 0)));
		}
		await Promise.all(clients.map((client) => client.close()));
		expect(clients.map(({ failed }) => failed)).toEqual([0, 0, 0]);
	});

	test("tries a backend that refused once again, and at the next request, too", async () => {
		const [one = 0, two = 0] = await startServers(2);
		const gone = await startPortServer();
		await gone.close();
		const proxy = dropIn();
		await start(proxy, web(one, two, gone.port));
		expect(await answersOf(12)).toEqual([one, two].map(String).sort());
		// Back on its port: nothing was held against it.
		owned.own(await startPortServer(gone.port));
		expect(await answersOf(12)).toContain(String(gone.port));
	});
});

describe("a whole file", () => {
	test("routes by host, and answers 503 for an empty service and an unknown host", async () => {
		const [one = 0, two = 0, three = 0] = await startServers(3);
		const proxy = whole();
		const desired = [
			service("any", [two], { hosts: ["*.example.org", "*-x.example.net"] }),
			service("empty", [], { hosts: ["empty.example.org"] }),
			service("www", [one], { hosts: ["www.example.org"] }),
		];
		await start(proxy, desired);
		const followed = await open(proxy, desired);
		const at = async (host: string) => {
			const { status, body } = await ask(url, { headers: { host } });
			return status === 200 ? Number(body) : status;
		};
		expect(await at("WWW.example.org")).toBe(one);
		expect(await at("api.example.org")).toBe(two);
		expect(await at("api-x.example.net")).toBe(two);
		expect(await at("api.example.net")).toBe(503);
		expect(await at("empty.example.org")).toBe(503);

		await followed.change([...desired, service("rest", [three])]);
		expect(await at("api.example.net")).toBe(three);
	});

	test("serves tcp where it is told to", async () => {
		const [one = 0] = await startServers(1);
		const at = await freePort();
		const proxy = whole();
		const db = (ports: number[]) => [
			service("db", ports, { mode: "tcp", balance: "leastconn", options: { bind: `127.0.0.1:${at}` } }),
			service("hidden", [], { mode: "tcp" }),
		];
		const options = { ...proxy.options, mainLines: [STREAM, ...mainLines(folder)] };
		const tcp = { ...proxy, options };
		await start(tcp, db([]));
		const followed = await open(tcp, db([]));
		await followed.change(db([one]));
		expect((await ask(`http://127.0.0.1:${at}/`)).body).toBe(String(one));
	});

	test("takes nothing new to a backend that drains, and has weights", async () => {
		const [one = 0, two = 0] = await startServers(2);
		const proxy = whole();
		await start(proxy, web(one, two));
		const followed = await open(proxy, web(one, two));
		await followed.change([
			service("web", [], { backends: [backend("web", one, { weight: 1 }), backend("web", two, { state: "drain" })] }),
		]);
		expect(await answersOf(6)).toEqual([String(one)]);
		await followed.change([
			service("web", [], { backends: [backend("web", one, { weight: 0 }), backend("web", two, { state: "down" })] }),
		]);
		expect(await answersOf(1)).toEqual(["503"]);
	});
});

/** Debian has the stream module as a package of its own. */
const STREAM = "load_module /usr/lib/nginx/modules/ngx_stream_module.so;";

describe("what fails", () => {
	test("its check is never live, and is kept under a name that no include matches", async () => {
		const [one = 0] = await startServers(1);
		const proxy = dropIn();
		await start(proxy, web());
		const followed = await open(proxy, web());
		const bad = [service("web", [one], { options: { serverOptions: "nonsense=1" } })];
		const line = await followed.change(bad, "not applied");
		const rejected = join(included, ".upstreams.conf.rejected");
		expect(line["reason"]).toContain("nonsense");
		expect(line["reason"]).toContain(`check command "${NGINX} -t -c ${ownFile()}" exited with code 1`);
		expect(line["reason"]).toContain(`the rejected file is kept as ${rejected}`);
		expect(await readFile(proxy.output, "utf8")).not.toContain("nonsense");
		expect(await readFile(rejected, "utf8")).toContain("nonsense");
		expect((await readdir(included)).sort()).toEqual([".upstreams.conf.rejected", "upstreams.conf"]);

		await followed.change(web(one));
		expect(await answersOf(2)).toEqual([String(one)]);
	});

	test("its check the first time leaves no file", async () => {
		const proxy = dropIn();
		await writeFile(join(included, "first.conf"), "upstream web { server 127.0.0.1:9 down; }\n");
		await writeOwnFile();
		owned.own(await startNginx(folder, ownFile()));
		const followed = await open(proxy, [service("api", [1], { options: { serverOptions: "nonsense=1" } })]);
		expect(followed.status.state).toBe("failed");
		expect((await readdir(included)).sort()).toEqual([".upstreams.conf.rejected", "first.conf"]);
	});

	test("to be loaded, though it passed its check, is taken back", async () => {
		const [one = 0, two = 0] = await startServers(2);
		const taken = createServer();
		await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
		const address = taken.address();
		const occupied = typeof address === "object" ? address?.port : undefined;
		const proxy = whole({ timeout: "2s" });
		await start(proxy, web(one));
		const followed = await open(proxy, web(one));
		await followed.close();
		// A port that another program has: `nginx -t` does not mind, a reload does.
		const options = { ...proxy.options, bind: [`127.0.0.1:${port}`, `127.0.0.1:${occupied}`] };
		const moved = await open({ ...proxy, options }, web(one, two));
		expect(moved.status).toMatchObject({
			state: "failed",
			why: expect.stringContaining("it has no new worker (its error log says why"),
			serving: "the previous configuration, loaded again",
		});
		expect(await readFile(proxy.output, "utf8")).toBe(await rendered(proxy, web(one)));
		expect(await answersOf(2)).toEqual([String(one)]);

		await new Promise((resolve) => taken.close(resolve));
		await moved.untilState("applied");
		expect(await answersOf(4)).toEqual([one, two].map(String).sort());
	});

	test("to reload by its command is taken back", async () => {
		const [one = 0] = await startServers(1);
		const proxy = dropIn({ reload: ["sh", "-c", "echo failed to connect >&2; exit 3"] });
		await start(proxy, web());
		const followed = await open(proxy, web());
		const line = await followed.change(web(one), "not applied");
		expect(line["reason"]).toContain("exited with code 3: failed to connect; the previous file is back");
		expect(await readFile(proxy.output, "utf8")).toBe(await rendered(proxy, web()));
	});

	test("to reload although its command says it did", async () => {
		const [one = 0] = await startServers(1);
		const proxy = dropIn({ reload: ["true"], timeout: "2s" });
		await start(proxy, web());
		const followed = await open(proxy, web());
		const line = await followed.change(web(one), "not applied");
		expect(line["reason"]).toContain("does the reload command reload this Nginx?");
	});
});

test("a reload command without a pid file is trusted", async () => {
	const [one = 0] = await startServers(1);
	const proxy = dropIn({ reload: ["sh", "-c", `kill -HUP $(cat ${pidFileIn(folder)})`], pidFile: undefined });
	const nginx = await start(proxy, web());
	const before = await nginx.workers();
	const followed = await open(proxy, web());
	await followed.change(web(one));
	await eventually("Nginx is reloaded", async () => isReloaded(before, await nginx.workers()));
	expect(await answersOf(2)).toEqual([String(one)]);
});

describe("an Nginx", () => {
	test("that is restarted by hand has what it should have, and is not reloaded", async () => {
		const [one = 0, two = 0] = await startServers(2);
		const proxy = dropIn();
		const nginx = await start(proxy, web(one));
		const followed = await open(proxy, web(one));
		await nginx.stop();
		const again = owned.own(await startNginx(folder, ownFile()));
		const before = await again.workers();
		const written = await stat(proxy.output);
		followed.look();
		await followed.untilState("applied");
		expect(await again.workers()).toEqual(before);
		expect((await stat(proxy.output)).ino).toBe(written.ino);
		await followed.change(web(two));
		expect(await answersOf(2)).toEqual([String(two)]);
		expect(isReloaded(before, await again.workers())).toBe(true);
	});

	test("that was killed gets its file, is reported, and is right when it has started", async () => {
		const [one = 0, two = 0] = await startServers(2);
		const proxy = dropIn();
		const nginx = await start(proxy, web(one));
		const followed = await open(proxy, web(one));
		await nginx.stop("SIGKILL");
		const line = await followed.change(web(two), "proxy unreachable");
		expect(line["reason"]).toBe(`${pidFileIn(folder)} names process ${nginx.pid}, which has ended (start Nginx)`);
		expect(followed.status.state).toBe("unreachable");
		expect(await readFile(proxy.output, "utf8")).toBe(await rendered(proxy, web(two)));

		const again = owned.own(await startNginx(folder, ownFile()));
		await followed.untilState("applied");
		// It may have read the old file at the very moment of the change: reloaded once, to be sure, and maybe before
		// anybody could look at its first workers.
		const log = await readFile(join(folder, "error.log"), "utf8");
		expect(log).toMatch(new RegExp(` ${again.pid}#\\d+: reconfiguring$`, "m"));
		expect(await answersOf(2)).toEqual([String(two)]);
		expect(await readdir(included)).toEqual(["upstreams.conf"]);
	});

	test.each([
		["with garbage", "nginx\n", "holds no process id"],
		["of another program", `${process.pid}\n`, "which is no master of Nginx"],
		["that is empty, as nginx -t leaves it", "", "holds no process id"],
	])("with a pid file %s is not signalled", async (_, text, why) => {
		const [one = 0] = await startServers(1);
		const proxy = dropIn();
		await writeOwnFile();
		await writeFile(proxy.output, await rendered(proxy, web()));
		await writeFile(pidFileIn(folder), text);
		const followed = await open(proxy, web(one));
		expect(followed.status).toMatchObject({ state: "unreachable", why: expect.stringContaining(why) });
		expect(await readFile(proxy.output, "utf8")).toBe(await rendered(proxy, web(one)));
	});
});

test("a daemon that starts again changes nothing, and knows the servers that Nginx has", async () => {
	const [one = 0] = await startServers(1);
	const proxy = dropIn();
	const nginx = await start(proxy, web(one));
	const before = await nginx.workers();
	const driver = await openDriver(proxy, "h", PACKAGED);
	const actual = await driver.read(new AbortController().signal);
	expect(driver.serversOf(actual)).toEqual([{ service: "web", address: "127.0.0.1", port: one }]);
	const followed = await open(proxy, web(one));
	expect(followed.lines).toEqual([]);
	expect(await nginx.workers()).toEqual(before);
});

test("in observe mode nothing is changed", async () => {
	const [one = 0] = await startServers(1);
	const proxy = dropIn({ mode: "observe" });
	const nginx = await start(proxy, web());
	const before = await nginx.workers();
	const followed = await open(proxy, web(one));
	expect(followed.lines).toMatchObject([
		{
			msg: "would apply",
			joined: [`web/127.0.0.1:${one}`],
			steps: [
				expect.stringContaining(`write ${proxy.output}`),
				`reload by SIGHUP to the process in ${pidFileIn(folder)}, then verify that new workers serve`,
			],
		},
	]);
	expect(await nginx.workers()).toEqual(before);
});
