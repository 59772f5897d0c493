import { readFileSync } from "node:fs";
import { chmod, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { startClient } from "../host/client.js";
import { solistend, startDaemon } from "../host/daemon.js";
import { applied, type Edge, joined, left, openEdge } from "../host/edge.js";
import { eventually } from "../host/eventually.js";
import { startHaproxy } from "../host/haproxy.js";
import { ask } from "../host/http.js";
import { freePort } from "../host/port.js";
import { requirePrivileges, skipPrivileged } from "../host/privileges.js";
import { HAPROXY } from "../host/programs.js";
import { closeFd, rawSocket, sendIntoFlight } from "../host/raw-socket.js";
import { replaceFile } from "../host/replace-file.js";
import { startWebServer, type WebServer } from "../host/web-server.js";

requirePrivileges();

/** A web server in a namespace of its own, and what it is called in HAProxy. */
async function serve({ segment, owned }: Edge, name: string, options: { hostname?: string; comm?: string } = {}) {
	const netns = await segment.addNetns(name);
	const start = async (): Promise<WebServer> => owned.own(await startWebServer({ name, netns, ...options }));
	return { server: await start(), start, id: `web/${netns.address}:80`, address: netns.address };
}

const childrenOf = (pid: number): number[] =>
	readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").map(Number);

/** A second HAProxy beside the edge's, of the same services; its output. */
async function addHaproxy({ folder, config, owned }: Edge, name: string): Promise<string> {
	const dir = join(folder, name);
	await mkdir(dir);
	const settings = parse(await readFile(config, "utf8"));
	const output = join(dir, "haproxy.cfg");
	settings.proxies.push({
		...settings.proxies[0],
		name,
		output,
		masterSocket: join(dir, "master.sock"),
		runtimeSocket: join(dir, "runtime.sock"),
		options: { bind: `127.0.0.1:${await freePort()}` },
	});
	await writeFile(config, stringify(settings));
	const [program, ...words] = solistend("render", "--config", config, "--proxy", name);
	const { stdout } = await execa(program, words, { stripFinalNewline: false });
	await writeFile(output, stdout);
	const haproxy = await startHaproxy({ dir, configFiles: [output], program: HAPROXY });
	owned.own({ close: haproxy.stop });
	return output;
}

const answers = (edge: Edge, body: string) =>
	eventually(`HAProxy answers "${body}"`, async () => (await ask(edge.url)).body === `${body}\n`);

describe.skipIf(skipPrivileged)("a container that listens", () => {
	test("is answered for through HAProxy, and no longer when it is killed", async () => {
		await using edge = await openEdge();
		const daemon = await edge.startDaemon();
		const blue = await serve(edge, "blue");
		const line = await joined(daemon, blue.id);
		expect(line["reload"]).toBe(false);
		expect(line["stagesMs"]).toMatchObject({ settle: expect.any(Number), runtime: expect.any(Number) });
		expect(line["sinceKernelMs"]).toBeGreaterThan(0);
		await answers(edge, "hello from blue");
		const green = await serve(edge, "green");
		await joined(daemon, green.id);
		await blue.server.stop("SIGKILL");
		await left(daemon, blue.id);
		for (let i = 0; i < 4; i++) expect(await ask(edge.url)).toEqual({ status: 200, body: "hello from green\n" });
		await daemon.stop();
		expect(await ask(edge.url)).toMatchObject({ status: 200 });
	});

	test("and was the last one stays for its grace, then the service answers 503 and keeps its place", async () => {
		await using edge = await openEdge({
			services: { web: { match: { port: 80, netns: `slt-${process.pid}-*` }, lastGrace: "1s" } },
		});
		const daemon = await edge.startDaemon();
		const blue = await serve(edge, "blue");
		await joined(daemon, blue.id);
		await blue.server.stop();
		const closed = await daemon.waitFor("closed");
		const gone = await left(daemon, blue.id);
		expect(Date.parse(gone.time) - Date.parse(closed.time)).toBeGreaterThanOrEqual(990);
		expect(await edge.written()).toContain("backend web");
		expect(await ask(edge.url)).toMatchObject({ status: 503 });
	});

	test("and comes back within its grace costs no reload", async () => {
		await using edge = await openEdge();
		const daemon = await edge.startDaemon();
		const blue = await serve(edge, "blue");
		await joined(daemon, blue.id);
		await blue.server.stop();
		await daemon.waitFor("closed");
		const from = daemon.lines.length;
		await blue.start();
		await daemon.waitFor("listening", { from });
		const green = await serve(edge, "green");
		await joined(daemon, green.id);
		expect(applied(daemon).map(({ joined, left }) => ({ joined, left }))).toEqual([
			{ joined: [blue.id], left: [] },
			{ joined: [green.id], left: [] },
		]);
	});
});

describe.skipIf(skipPrivileged)("a daemon that is killed and started again", () => {
	test("loses no request and reloads nothing when nothing changed", async () => {
		await using edge = await openEdge();
		const first = await edge.startDaemon();
		const servers = [await serve(edge, "blue"), await serve(edge, "green")];
		for (const { id } of servers) await joined(first, id);
		const before = await eventually("the file follows", async () => {
			const text = await edge.written();
			return servers.every(({ address }) => text.includes(address)) && text;
		});
		const client = edge.owned.own(startClient(edge.url));
		await first.kill();
		const second = await edge.startDaemon();
		await eventually("some more requests", () => client.asked > 50);
		await client.close();
		expect(client.failed).toBe(0);
		expect(applied(second)).toEqual([]);
		expect(await edge.written()).toBe(before);
	});

	test("takes up what changed meanwhile", async () => {
		await using edge = await openEdge();
		const first = await edge.startDaemon();
		const blue = await serve(edge, "blue");
		const green = await serve(edge, "green");
		for (const { id } of [blue, green]) await joined(first, id);
		await first.kill();
		await blue.server.stop();
		const red = await serve(edge, "red");
		const second = await edge.startDaemon();
		await joined(second, red.id);
		await left(second, blue.id);
		expect(await edge.written()).toContain(green.address);
	});
});

describe.skipIf(skipPrivileged)("a listener that is in flight between two processes while the daemon starts", () => {
	test("stays in the pool, and leaves it when it closes", async () => {
		const socket = rawSocket();
		socket.bind(0);
		socket.listen(16);
		const id = `own/127.0.0.1:${socket.port()}`;
		await using edge = await openEdge({
			services: { own: { match: { netns: "host", port: socket.port() }, mode: "tcp", lastGrace: "0s" } },
		});
		const first = await edge.startDaemon();
		await eventually("it is in the file", async () => (await edge.written()).includes(`:${socket.port()} `));
		await first.stop();
		const before = await edge.written();
		const flight = sendIntoFlight(socket);
		const second = await edge.startDaemon();
		expect(applied(second)).toEqual([]);
		expect(await edge.written()).toBe(before);
		closeFd(flight.land());
		flight.close();
		await left(second, id);
	});
});

describe.skipIf(skipPrivileged)("a proxy that hangs while the daemon starts", () => {
	test("keeps no other one waiting, and what its file has is adopted", async () => {
		const socket = rawSocket();
		socket.bind(0);
		socket.listen(16);
		const id = `own/127.0.0.1:${socket.port()}`;
		await using edge = await openEdge({
			services: { own: { match: { netns: "host", port: socket.port() }, mode: "tcp" } },
			proxy: { timeout: "60s" },
		});
		const first = await edge.startDaemon();
		await eventually("it is in the file", async () => (await edge.written()).includes(`:${socket.port()} `));
		await first.stop();

		const pids = [edge.haproxy.pid, ...childrenOf(edge.haproxy.pid)];
		const signal = (name: NodeJS.Signals) => {
			for (const pid of pids) process.kill(pid, name);
		};
		edge.owned.own({ close: async () => signal("SIGCONT") });
		signal("SIGSTOP");
		const flight = sendIntoFlight(socket);
		const other = await addHaproxy(edge, "other");
		expect(await readFile(other, "utf8")).not.toContain(`:${socket.port()} `);
		const daemon = edge.owned.own(startDaemon({ config: edge.config }));
		// it has only just been started
		expect(await joined(daemon, id, 0, 20_000)).toMatchObject({ proxy: "other" });
		expect(daemon.lines.some(({ proxy }) => proxy === "edge")).toBe(false);

		signal("SIGCONT");
		await daemon.waitFor("ready");
		expect(applied(daemon).filter(({ proxy }) => proxy === "edge")).toEqual([]);
		closeFd(flight.land());
		flight.close();
	});
});

describe.skipIf(skipPrivileged)("observe", () => {
	test("plans and logs, and changes nothing", async () => {
		await using edge = await openEdge({ proxy: { mode: "observe" } });
		const before = await edge.written();
		const daemon = await edge.startDaemon();
		const blue = await serve(edge, "blue");
		const line = await daemon.waitFor(
			({ msg, joined }) => msg === "would apply" && Array.isArray(joined) && joined.length > 0,
		);
		expect(line["joined"]).toEqual([blue.id]);
		expect(await edge.written()).toBe(before);
		expect(await ask(edge.url)).toMatchObject({ status: 503 });
	});
});

describe.skipIf(skipPrivileged)("configuration and templates that change while it runs", () => {
	test("a bad configuration is told with its place and the running one stays; a good one is taken", async () => {
		await using edge = await openEdge();
		const daemon = await edge.startDaemon();
		const blue = await serve(edge, "blue");
		await joined(daemon, blue.id);
		await edge.configure({ services: { web: { match: { prot: 80 } } } });
		const bad = await daemon.waitFor("configuration not taken, the running one stays");
		expect(String(bad["problems"])).toMatch(/solistend\.yaml:\d+:\d+: services\.web\.match\.prot: unknown key.*port/);
		const green = await serve(edge, "green");
		await joined(daemon, green.id);
		await edge.configure({ services: { web: { match: { port: 80, netns: `slt-${process.pid}-green` } } } });
		await daemon.waitFor("configuration taken");
		await left(daemon, blue.id);
		await answers(edge, "hello from green");
	});

	test("a bad template is told with its place and the running one stays; a good one is taken", async () => {
		await using edge = await openEdge();
		const own = join(edge.templates, "haproxy-backends.cfg.hbs");
		const daemon = await edge.startDaemon();
		const blue = await serve(edge, "blue");
		await joined(daemon, blue.id);
		await writeFile(own, "{{#each services}}\nbackend {{nmae}}\n{{/each}}\n");
		const bad = await daemon.waitFor("configuration not taken, the running one stays");
		expect(String(bad["problems"])).toContain(`${own}:2:`);
		expect(String(bad["problems"])).toContain("nmae");
		const green = await serve(edge, "green");
		await joined(daemon, green.id);
		await replaceFile(
			own,
			"# mine\n{{#each services as |service|}}\nbackend {{service.name}}\n\tmode http\n{{#each service.backends}}\n\tserver {{id}} {{address}}:{{port}}\n{{/each}}\n{{/each}}\n",
		);
		await daemon.waitFor("configuration taken");
		await eventually("the own template is live", async () => (await edge.written()).includes("# mine"));
		expect(await ask(edge.url)).toMatchObject({ status: 200 });
	});
});

describe.skipIf(skipPrivileged)("a container with a hostile name", () => {
	test.each([
		["a hostname that closes the line", { hostname: 'x"\n\tserver evil 127.0.0.1:9' }],
		["a command that closes the line", { comm: "n}'#\n}\tlisten x" }],
		["a hostname of quotes, spaces, braces and a comment", { hostname: "a b'\"{{x}} # c" }],
	])("%s changes nothing in the meaning of the file", async (_what, names) => {
		await using edge = await openEdge();
		await writeFile(
			join(edge.templates, "haproxy-backends.cfg.hbs"),
			"{{#each services as |service|}}\nbackend {{service.name}}\n\tmode http\n{{#each service.backends}}\n\t# {{hostname}} {{comm}}\n\tserver {{id}} {{address}}:{{port}} # {{hostname}} {{comm}}\n{{/each}}\n{{/each}}\n",
		);
		const daemon = await edge.startDaemon();
		const blue = await serve(edge, "blue", names);
		await joined(daemon, blue.id);
		await answers(edge, "hello from blue");
		const lines = (await edge.written()).split("\n").filter((line) => /^\s*(server|listen|backend)\b/.test(line));
		expect(lines).toHaveLength(2);
		expect(await edge.written()).not.toMatch(/evil 127|["'{}]/);
	});
});

describe.skipIf(skipPrivileged)("a file that somebody edited by hand", () => {
	test("is written again at the next resync", async () => {
		await using edge = await openEdge({ settings: { resync: "1s" } });
		const daemon = await edge.startDaemon();
		const blue = await serve(edge, "blue");
		await joined(daemon, blue.id);
		const before = await eventually("the file follows", async () => {
			const text = await edge.written();
			return text.includes(blue.address) && text;
		});
		await writeFile(edge.output, before.replace(blue.address, "192.0.2.1"));
		await eventually("the file is right again", async () => (await edge.written()) === before);
		await answers(edge, "hello from blue");
	});
});

describe.skipIf(skipPrivileged)("signals", () => {
	test("SIGHUP reads configuration and templates again, SIGTERM ends it with code 0, also while it starts", async () => {
		await using edge = await openEdge();
		const daemon = await edge.startDaemon();
		process.kill(daemon.pid, "SIGHUP");
		await daemon.waitFor("configuration taken");
		await daemon.stop();
		await edge.configure({ proxy: { check: ["sleep", "60"] } });
		await writeFile(edge.output, "# not what it should be\n");
		const starting = edge.owned.own(startDaemon({ config: edge.config }));
		const children = `/proc/${starting.pid}/task/${starting.pid}/children`;
		await eventually("it runs the check", () => readFileSync(children, "utf8") !== "", { timeoutMs: 20_000 });
		expect(starting.lines.some(({ msg }) => msg === "ready")).toBe(false);
		await starting.stop();
	});
});

describe.skipIf(skipPrivileged)("what fails is told, HAProxy serves what it had, and it is tried again", () => {
	test("a check that fails, until it does not", async () => {
		await using edge = await openEdge();
		const gate = join(edge.folder, "check.sh");
		await writeFile(gate, `#!/bin/sh\necho "no good: $1" >&2\nexit 1\n`);
		await chmod(gate, 0o755);
		await edge.configure({ proxy: { check: [gate, "{{output}}"] } });
		const daemon = await edge.startDaemon();
		const before = await edge.written();
		const blue = await serve(edge, "blue");
		const bad = await daemon.waitFor("not applied");
		expect(String(bad["reason"])).toContain("no good");
		expect(bad["serving"]).toEqual(expect.any(String));
		expect(await edge.written()).toBe(before);
		// a command needs no file, and was taken
		expect(await ask(edge.url)).toMatchObject({ status: 200 });
		await writeFile(gate, "#!/bin/sh\nexit 0\n");
		await eventually("the file follows", async () => (await edge.written()).includes(blue.address));
		await daemon.waitFor("recovered");
	});

	test("a proxy that is not running, until it is", async () => {
		await using edge = await openEdge();
		await edge.haproxy.stop();
		const daemon = await edge.startDaemon();
		expect(daemon.lines.some(({ msg }) => msg === "proxy unreachable")).toBe(true);
		const blue = await serve(edge, "blue");
		await eventually("the file is written", async () => (await edge.written()).includes(blue.address));
		const haproxy = await startHaproxy({ dir: edge.folder, configFiles: [edge.output] });
		edge.owned.own({ close: haproxy.stop });
		await answers(edge, "hello from blue");
		await daemon.waitFor("recovered");
	});

	test("an output folder that is gone, until it is back", async () => {
		await using edge = await openEdge();
		const daemon = await edge.startDaemon();
		const folder = join(edge.output, "..");
		await rename(folder, `${folder}.away`);
		const blue = await serve(edge, "blue");
		const bad = await daemon.waitFor("not applied");
		expect(String(bad["reason"])).toContain(folder);
		await rm(folder, { recursive: true, force: true });
		await rename(`${folder}.away`, folder);
		await joined(daemon, blue.id);
	});
});
