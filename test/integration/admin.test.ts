import { mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, test } from "vitest";
import { type Daemon, solistend, startDaemon } from "../host/daemon.js";
import { type Edge, joined, openEdge } from "../host/edge.js";
import { eventually } from "../host/eventually.js";
import type { Answer } from "../host/http.js";
import { requirePrivileges, skipPrivileged } from "../host/privileges.js";
import { tempFolder } from "../host/temp-folder.js";
import { startWebServer } from "../host/web-server.js";

requirePrivileges();

/** As long as `startDaemon` of an edge gives a daemon that starts. */
const STARTING = { timeoutMs: 20_000 };

/** Runs a command of solistend to its end. */
async function run(words: readonly string[], before: readonly string[] = []) {
	const [program = "", ...rest] = [...before, ...solistend(...words)];
	return execa(program, rest, { reject: false, timeout: 20_000, env: { NO_COLOR: "1" } });
}

/** A question as any HTTP client asks it. */
function ask(socketPath: string, method: string, path: string, body?: string): Promise<Answer> {
	return new Promise((resolve, reject) => {
		const asking = request({ socketPath, method, path, signal: AbortSignal.timeout(5000) }, (response) => {
			let text = "";
			response.setEncoding("utf8");
			response.on("data", (chunk: string) => {
				text += chunk;
			});
			response.on("end", () => resolve({ status: response.statusCode ?? 0, body: text }));
			response.on("error", reject);
		});
		asking.on("error", reject);
		asking.end(body);
	});
}

/** A web server in a namespace of its own, in the pool; its backend's id. */
async function serve({ segment, owned }: Edge, daemon: Daemon, name: string): Promise<string> {
	const netns = await segment.addNetns(name);
	owned.own(await startWebServer({ name, netns }));
	const id = `${netns.address}:80`;
	await joined(daemon, `web/${id}`);
	return id;
}

const statusOf = async (edge: Edge) => JSON.parse((await ask(edge.socket, "GET", "/v1/status")).body);

/** All keys of a value, at any depth, without those of the maps that are keyed by names. */
function keysOf(value: unknown): string[] {
	if (Array.isArray(value)) return value.flatMap(keysOf);
	if (typeof value !== "object" || value === null) return [];
	return Object.entries(value).flatMap(([key, inner]) => [key, ...(key === "stagesMs" ? [] : keysOf(inner))]);
}

describe.skipIf(skipPrivileged)("status", () => {
	test("shows services, backends and proxies, as JSON with the documented keys and as a table", async () => {
		await using edge = await openEdge();
		const daemon = await edge.startDaemon();
		const id = await serve(edge, daemon, "blue");
		const { stdout, exitCode } = await run(["status", "--json", "--config", edge.config]);
		expect(exitCode).toBe(0);
		const told: unknown = JSON.parse(stdout);
		expect(told).toMatchObject({
			version: expect.stringMatching(/^\d+\.\d+\.\d+/),
			pid: daemon.pid,
			config: edge.config,
			services: [{ name: "web", backends: [{ id, state: "ready", held: false }] }],
			proxies: [{ name: "edge", type: "haproxy", mode: "apply", state: "applied" }],
			losses: { ringFull: 0, tableFull: 0 },
		});
		const page = await readFile(new URL("../../docs/commands.md", import.meta.url), "utf8");
		for (const key of keysOf(told)) expect(page, `docs/commands.md explains ${key}`).toContain(`\`${key}\``);
		const table = await run(["status", "--socket", edge.socket]);
		expect(table.stdout).toMatch(/^solistend \S+ on \S+, pid \d+, up \d+s; \d+ listeners on this host$/m);
		expect(table.stdout).toMatch(new RegExp(`^web +${id} +ready +\\d+`, "m"));
		expect(table.stdout).toMatch(/^edge +haproxy +applied/m);
	});

	test("without a daemon ends with code 3 and says how to find one", async () => {
		await using folder = await tempFolder();
		const socket = join(folder.path, "admin.sock");
		const { exitCode, stderr, stdout } = await run(["status", "--socket", socket]);
		expect({ exitCode, stdout }).toEqual({ exitCode: 3, stdout: "" });
		expect(stderr).toContain(`no daemon answers at ${socket}`);
		expect(stderr).toContain("start it: solistend run");
		expect(stderr).not.toContain("    at ");
	});

	test("of a user who may not ask ends with code 3 and says who may", async () => {
		await using edge = await openEdge();
		await edge.startDaemon();
		const nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
		const { exitCode, stderr } = await run(["status", "--socket", edge.socket], nobody);
		expect(stderr).toContain("permission denied (ask as root");
		expect(exitCode).toBe(3);
	});

	test("with a wrong configuration says what is wrong, and that the socket may be named", async () => {
		await using folder = await tempFolder();
		const config = join(folder.path, "solistend.yaml");
		await writeFile(config, "resync: 5");
		const { exitCode, stderr } = await run(["status", "--config", config]);
		expect(exitCode).toBe(1);
		expect(stderr).toContain(`${config}:1:9: resync`);
		expect(stderr).toContain("--socket");
	});
});

describe.skipIf(skipPrivileged)("the operator's word", () => {
	test("drains and releases a backend by its address, and all of a service by its name", async () => {
		await using edge = await openEdge();
		const daemon = await edge.startDaemon();
		const blue = await serve(edge, daemon, "blue");
		const green = await serve(edge, daemon, "green");
		const drained = await run(["drain", blue, "--config", edge.config]);
		expect(drained).toMatchObject({ exitCode: 0, stdout: `web/${blue}  held (drain): no new work`, stderr: "" });
		const status = await run(["status", "--config", edge.config]);
		expect(status.stdout).toMatch(new RegExp(`^web +${blue} +held \\(drain\\)`, "m"));
		expect(status.stdout).toMatch(new RegExp(`^web +${green} +ready`, "m"));
		const held = await run(["hold", "web", "--config", edge.config]);
		expect(held.stdout.split("\n").toSorted()).toEqual(
			[`web/${blue}  held (down): out`, `web/${green}  held (down): out`].toSorted(),
		);
		const released = await run(["release", `web/${green}`, "--config", edge.config]);
		expect(released.stdout).toBe(`web/${green}  released`);
		const again = await run(["release", `web/${green}`, "--config", edge.config]);
		expect(again.exitCode).toBe(1);
		expect(again.stderr).toContain(`web/${green} is not held (held: web/${blue})`);
	});

	test("for something that is not there says what is, with a guess", async () => {
		await using edge = await openEdge();
		await edge.startDaemon();
		const { exitCode, stderr } = await run(["drain", "wbe", "--config", edge.config]);
		expect(exitCode).toBe(1);
		expect(stderr).toBe('nothing is named "wbe", did you mean web? (services: web; backends: none)');
		expect((await run(["drain", "web", "--config", edge.config])).stderr).toBe("service web has no backends");
	});

	test("outlives a daemon that is killed", async () => {
		await using edge = await openEdge();
		const first = await edge.startDaemon();
		const id = await serve(edge, first, "blue");
		expect(await run(["hold", id, "--config", edge.config])).toMatchObject({ exitCode: 0, stderr: "" });
		expect(JSON.parse(await readFile(join(edge.state, "state.json"), "utf8"))).toEqual({
			version: 1,
			holds: [{ service: "web", id, state: "down" }],
			services: [],
		});
		await first.kill();
		await edge.startDaemon();
		expect((await statusOf(edge)).services).toMatchObject([{ backends: [{ id, state: "down", held: true }] }]);
		await run(["release", id, "--config", edge.config]);
		expect(JSON.parse(await readFile(join(edge.state, "state.json"), "utf8"))).toEqual({
			version: 1,
			holds: [],
			services: [],
		});
	});

	test("moves to another state folder with the configuration", async () => {
		await using edge = await openEdge();
		const daemon = await edge.startDaemon();
		const id = await serve(edge, daemon, "blue");
		await run(["drain", id, "--config", edge.config]);
		const state = join(edge.folder, "moved");
		await mkdir(state);
		await edge.configure({ settings: { state } });
		await daemon.waitFor("configuration taken");
		await daemon.stop();
		expect(JSON.parse(await readFile(join(state, "state.json"), "utf8")).holds).toEqual([
			{ service: "web", id, state: "drain" },
		]);
	});

	test("without a state folder is taken, with a warning in the log and in the answer", async () => {
		await using edge = await openEdge();
		await rm(edge.state, { recursive: true });
		const daemon = await edge.startDaemon();
		expect(daemon.lines).toContainEqual(
			expect.objectContaining({
				level: "warn",
				msg: expect.stringContaining(`${edge.state} does not exist (create it`),
			}),
		);
		const id = await serve(edge, daemon, "blue");
		const { exitCode, stderr, stdout } = await run(["drain", id, "--config", edge.config]);
		expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: `web/${id}  held (drain): no new work` });
		expect(stderr).toContain(`not kept over a restart: the folder ${edge.state} does not exist`);
		await mkdir(edge.state);
		expect(await run(["drain", id, "--config", edge.config])).toMatchObject({ stderr: "" });
	});
});

describe.skipIf(skipPrivileged)("the control socket", () => {
	test("is for its owner and group alone, and goes with the daemon", async () => {
		await using edge = await openEdge();
		const daemon = await edge.startDaemon();
		expect((await stat(edge.socket)).mode & 0o777).toBe(0o660);
		await daemon.stop();
		await expect(stat(edge.socket)).rejects.toThrow("ENOENT");
	});

	test("of a daemon that was killed is replaced", async () => {
		await using edge = await openEdge();
		await (await edge.startDaemon()).kill();
		expect((await stat(edge.socket)).isSocket()).toBe(true);
		const second = await edge.startDaemon();
		expect((await statusOf(edge)).pid).toBe(second.pid);
	});

	test("of a daemon that lives is left to it; the second one says so and goes on without", async () => {
		await using edge = await openEdge();
		const first = await edge.startDaemon();
		await using folder = await tempFolder();
		const config = join(folder.path, "solistend.yaml");
		await writeFile(config, `state: ${edge.state}\nadmin: { socket: ${edge.socket} }\n`);
		await using second = startDaemon({ config });
		const warning = await second.waitFor(({ msg }) => msg.startsWith("no control socket"), STARTING);
		expect(warning).toMatchObject({ level: "warn", reason: expect.stringContaining("is in use, by another daemon") });
		await second.waitFor("ready");
		await second.stop();
		expect((await statusOf(edge)).pid).toBe(first.pid);
	});

	test("never replaces a file, and lacks no daemon when its folder is missing", async () => {
		await using folder = await tempFolder();
		const file = join(folder.path, "file");
		await writeFile(file, "mine");
		for (const [socket, reason] of [
			[file, "is in use"],
			[join(folder.path, "no", "admin.sock"), "does not exist (create it"],
		] as const) {
			const config = join(folder.path, "solistend.yaml");
			await writeFile(config, `state: ${folder.path}\nadmin: { socket: ${socket} }\n`);
			await using daemon = startDaemon({ config });
			const { reason: told } = await daemon.waitFor(({ msg }) => msg.startsWith("no control socket"), STARTING);
			expect(told).toContain(reason);
			await daemon.waitFor("ready");
			await daemon.stop();
		}
		expect(await readFile(file, "utf8")).toBe("mine");
	});

	test("moves when the configuration says so", async () => {
		await using edge = await openEdge();
		const daemon = await edge.startDaemon();
		const moved = join(edge.folder, "moved.sock");
		await edge.configure({ settings: { admin: { socket: moved } } });
		await daemon.waitFor("configuration taken");
		expect((await ask(moved, "GET", "/healthz")).status).toBe(200);
		await expect(stat(edge.socket)).rejects.toThrow("ENOENT");
		await edge.configure();
		expect(await ask(moved, "POST", "/v1/reload")).toEqual({ status: 200, body: '{"problems":[]}\n' });
		await expect(stat(moved)).rejects.toThrow("ENOENT");
		expect((await ask(edge.socket, "GET", "/healthz")).status).toBe(200);
	});

	test("answers what is wrong with a question, and goes on", async () => {
		await using edge = await openEdge();
		await edge.startDaemon();
		const status = async (...[method, path, body]: readonly [string, string, string?]) =>
			(await ask(edge.socket, method, path, body)).status;
		expect(await status("GET", "/")).toBe(404);
		expect(await status("GET", "/constructor")).toBe(404);
		expect(await status("GET", "/v1/hold")).toBe(405);
		expect(await status("DELETE", "/v1/status")).toBe(405);
		expect(await status("POST", "/v1/hold", "{")).toBe(400);
		expect(await status("POST", "/v1/hold", "{}")).toBe(400);
		expect(await status("POST", "/v1/hold", '{"what": "web", "state": "ready"}')).toBe(400);
		expect(await status("POST", "/v1/release", "[]")).toBe(400);
		expect(await status("POST", "/v1/hold", "x".repeat(20_000))).toBe(413);
		expect(await status("POST", "/v1/resync")).toBe(200);
		expect(await status("GET", "/v1/services")).toBe(200);
	});

	test("does not keep a daemon alive for a client that says nothing", async () => {
		await using edge = await openEdge();
		const daemon = await edge.startDaemon();
		const silent = connect(edge.socket);
		await new Promise((resolve) => silent.once("connect", resolve));
		const closed = new Promise((resolve) => silent.once("close", resolve));
		await daemon.stop();
		await closed;
	});

	test("reloads the configuration, and answers with the problems of one that was not taken", async () => {
		await using edge = await openEdge();
		await edge.startDaemon();
		expect(await ask(edge.socket, "POST", "/v1/reload")).toEqual({ status: 200, body: '{"problems":[]}\n' });
		await writeFile(edge.config, "resync: 5");
		const { status, body } = await ask(edge.socket, "POST", "/v1/reload");
		expect(status).toBe(422);
		expect(JSON.parse(body).problems).toEqual([expect.stringContaining(`${edge.config}:1:9: resync: must be`)]);
	});

	test("is ready while every proxy has what it should have", async () => {
		await using edge = await openEdge({ settings: { resync: "1s" } });
		const daemon = await edge.startDaemon();
		const ready = () => ask(edge.socket, "GET", "/readyz");
		expect(await ready()).toMatchObject({ status: 200 });
		await edge.haproxy.stop();
		await serveLate(edge);
		await daemon.waitFor("proxy unreachable");
		const { status, body } = await eventually("not ready", async () => {
			const answer = await ready();
			return answer.status === 503 && answer;
		});
		expect(status).toBe(503);
		expect(JSON.parse(body)).toMatchObject({ ready: false, proxies: [{ name: "edge", state: "unreachable" }] });
		expect((await ask(edge.socket, "GET", "/healthz")).status).toBe(200);
	});

	test("has metrics that Prometheus reads, which count what is there", async () => {
		await using edge = await openEdge();
		const daemon = await edge.startDaemon();
		await serve(edge, daemon, "blue");
		const { status, body } = await ask(edge.socket, "GET", "/metrics");
		expect(status).toBe(200);
		expect(body).toContain('solistend_backends{service="web",state="ready"} 1');
		expect(body).toContain('solistend_proxy_up{proxy="edge"} 1');
	});
});

describe.skipIf(skipPrivileged)("render --diff", () => {
	test("shows what differs from the live file, and nothing when nothing does", async () => {
		await using edge = await openEdge();
		const words = ["render", "--diff", "--config", edge.config];
		expect(await run(words)).toMatchObject({ exitCode: 0, stdout: "", stderr: "" });
		const netns = await edge.segment.addNetns("blue");
		edge.owned.own(await startWebServer({ name: "blue", netns }));
		const { stdout, exitCode } = await run(words);
		expect(exitCode).toBe(0);
		expect(stdout.startsWith(`--- ${edge.output}\n+++ ${edge.output}\n@@ -`)).toBe(true);
		expect(stdout).toMatch(new RegExp(`^\\+\\s+server .*\\b${netns.address}:80 `, "m"));
		await writeFile(join(edge.folder, "live.diff"), `${stdout}\n`);
		await execa("patch", [edge.output, join(edge.folder, "live.diff")]);
		expect(await run(words)).toMatchObject({ exitCode: 0, stdout: "" });
	});

	test("shows a file that is not there as new", async () => {
		await using edge = await openEdge();
		await rm(edge.output);
		const { stdout, exitCode } = await run(["render", "--diff", "--config", edge.config]);
		expect(exitCode).toBe(0);
		expect(stdout.startsWith(`--- /dev/null\n+++ ${edge.output}\n@@ -0,0 +1,`)).toBe(true);
	});
});

/** A web server that HAProxy will not be told of. */
async function serveLate({ segment, owned }: Edge): Promise<void> {
	const netns = await segment.addNetns("late");
	owned.own(await startWebServer({ name: "late", netns }));
}
