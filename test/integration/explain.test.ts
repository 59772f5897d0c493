import { readFile } from "node:fs/promises";
import { request } from "node:http";
import { execa } from "execa";
import { describe, expect, test } from "vitest";
import type { ExplainView } from "../../src/admin/explain-view.js";
import { explainAnswer } from "../../src/cli/explain.js";
import { startApplication } from "../host/application.js";
import { type Daemon, solistend } from "../host/daemon.js";
import { type Edge, joined, left, openEdge } from "../host/edge.js";
import { eventually } from "../host/eventually.js";
import { addNetns } from "../host/netns.js";
import { untilTold } from "../host/operator.js";
import { requirePrivileges, skipPrivileged } from "../host/privileges.js";

requirePrivileges();

/** A port that nobody but this test uses, as far as the host's own are concerned. */
const ODD_PORT = 18_173;

/** `explain`, to its end. */
async function run(edge: Edge, ...words: string[]) {
	const [program, ...rest] = solistend("explain", ...words, "--config", edge.config);
	return execa(program, rest, { reject: false, timeout: 20_000, env: { NO_COLOR: "1" } });
}

async function answerTo(edge: Edge, ...words: string[]): Promise<ExplainView> {
	const { stdout, stderr, exitCode } = await run(edge, "--json", ...words);
	expect({ stderr, exitCode }).toEqual({ stderr: "", exitCode: 0 });
	return explainAnswer.parse(JSON.parse(stdout));
}

/** What the control socket answers to any client. */
function ask(socketPath: string, path: string): Promise<{ readonly status: number; readonly body: unknown }> {
	return new Promise((resolve, reject) => {
		const asking = request({ socketPath, path, signal: AbortSignal.timeout(5000) }, async (response) => {
			let text = "";
			for await (const chunk of response.setEncoding("utf8")) text += chunk;
			resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) });
		});
		asking.on("error", reject);
		asking.end();
	});
}

/** An application in the pool of `web`. */
async function serve(edge: Edge, daemon: Daemon, name: string) {
	const netns = await edge.segment.addNetns(name);
	const application = edge.owned.own(await startApplication({ name, netns }));
	const id = `${netns.address}:80`;
	await joined(daemon, `web/${id}`);
	return { application, netns, id };
}

/** All keys of a value, at any depth. */
function keysOf(value: unknown): string[] {
	if (Array.isArray(value)) return value.flatMap(keysOf);
	if (typeof value !== "object" || value === null) return [];
	return Object.entries(value).flatMap(([key, inner]) => [key, ...keysOf(inner)]);
}

describe.skipIf(skipPrivileged)("explain", () => {
	test("a listener in the pool: by its port, process, namespace, service and backend, with all its steps", async () => {
		await using edge = await openEdge();
		const daemon = await edge.startDaemon();
		const { application, netns, id } = await serve(edge, daemon, "blue");
		const pid = String(application.pid);
		const asked: readonly (readonly [readonly string[], string])[] = [
			[[netns.name], "netns"],
			[[pid], "pid"],
			[["--pid", pid], "pid"],
			[["--netns", netns.name], "netns"],
			[["web"], "service"],
			[["--service", "web"], "service"],
			[[id], "backend"],
			[[`web/${id}`], "backend"],
		];
		for (const [words, meaning] of asked) {
			const { meanings, listeners } = await answerTo(edge, ...words);
			expect(meanings.map((one) => one.meaning)).toContain(meaning);
			expect(listeners.map((one) => one.pid)).toEqual([application.pid]);
		}
		const [listener] = (await answerTo(edge, netns.name)).listeners;
		expect(listener).toMatchObject({ state: "listening", port: 80, comm: "node", netnsName: netns.name });
		expect(listener?.verdict).toEqual({ state: "in", places: [{ service: "web", backend: id }] });
		expect(listener?.steps.map(({ step, state }) => `${step} ${state}`)).toEqual(
			["seen", "identity", "rule", "address", "pool", "proxy"].map((step) => `${step} done`),
		);
		expect(listener).not.toHaveProperty("waitingFor");
		expect(listener?.history.map(({ change }) => change)).toEqual(["listened", "backend"]);

		const { stdout } = await run(edge, netns.name);
		expect(stdout).toContain(`0.0.0.0:80 in netns ${netns.name}, pid ${pid} (node)\n  in web as ${id}\n`);
		expect(stdout).toMatch(/^ {2}proxy +web +done +edge: applied$/m);
		expect(stdout).toMatch(new RegExp(`^ {2}\\d\\d:\\d\\d:\\d\\d\\.\\d{3} +\\d+s +web/${id} ready: it listens$`, "m"));
	});

	test("one that waits for an address, one that nobody wants, and all that is held up", async () => {
		await using edge = await openEdge();
		const daemon = await edge.startDaemon();
		const { id } = await serve(edge, daemon, "blue");
		const alone = edge.owned.own(await addNetns("alone"));
		edge.owned.own(await startApplication({ name: "alone", netns: alone }));
		const odd = edge.owned.own(await startApplication({ name: "odd", netns: alone, port: ODD_PORT }));

		// Both listen, which the daemon may not have heard yet.
		const waiting = await eventually("the one that waits is known", async () =>
			(await answerTo(edge, "--port", "80")).listeners.find(({ netnsName }) => netnsName === alone.name),
		);
		expect(waiting.waitingFor).toMatchObject({ step: "address", service: "web", state: "waiting" });
		expect(waiting.verdict?.state).toBe("pending");

		const { listeners, meanings } = await eventually("the odd one is known", () => answerTo(edge, String(ODD_PORT)));
		expect(meanings).toEqual([{ meaning: "port", name: String(ODD_PORT), listening: 1, closed: 0 }]);
		expect(listeners).toMatchObject([{ pid: odd.pid, unmatched: true, verdict: { state: "out" } }]);
		expect(listeners[0]?.steps.at(-1)).toMatchObject({ step: "rule", service: "web", state: "no" });
		expect((await run(edge, String(ODD_PORT))).stdout).toContain("in no pool: no service's rule matches it");

		const all = await answerTo(edge);
		expect(all.listeners.map(({ netnsName }) => netnsName)).toEqual([alone.name]);
		expect(all.others).toMatchObject({ in: 1, unmatched: expect.any(Number) });
		const [program, ...words] = solistend("drain", id, "--config", edge.config);
		await execa(program, words);
		const held = await run(edge);
		expect(held.stdout).toMatch(/^2 listeners are on the way or held up; of the others 0 are in their pools/);
		expect(held.stdout).toMatch(/held up at pool \(web\): held \(drain\): a person drained it/);
	});

	test("one that closed a minute ago, with what happened to it", async () => {
		await using edge = await openEdge();
		const daemon = await edge.startDaemon();
		await serve(edge, daemon, "blue");
		const { application, netns, id } = await serve(edge, daemon, "green");
		await application.signal("SIGTERM");
		// of what comes together only the end would be told
		await untilTold(edge, id, "drain", /./);
		await application.tell("close");
		const closed = await eventually("it is out", async () => {
			const answer = await answerTo(edge, `web/${id}`);
			return answer.listeners[0]?.history.at(-1)?.text === "left the pool" && answer;
		});
		expect(closed.listeners).toMatchObject([
			{ state: "closed", netnsName: netns.name, pid: application.pid, steps: [] },
		]);
		expect(closed.listeners[0]?.history.map(({ change }) => change)).toEqual([
			"listened",
			"backend",
			"stopping",
			"backend",
			"closed",
			"backend",
		]);
		const page = await readFile(new URL("../../docs/commands.md", import.meta.url), "utf8");
		const known = [...keysOf(closed), ...keysOf(await answerTo(edge))];
		for (const key of known) expect(page, `docs/commands.md explains ${key}`).toContain(`\`${key}\``);

		await left(daemon, `web/${id}`);
		const from = daemon.lines.length;
		await application.tell("listen");
		await joined(daemon, `web/${id}`, from);
		const { listeners } = await answerTo(edge, `web/${id}`);
		expect(listeners).toMatchObject([{ state: "listening" }]);
		expect(listeners[0]?.history).toHaveLength(8);
	});

	test("nothing, where nothing fits: with code 1, and the nearest names", async () => {
		await using edge = await openEdge();
		await edge.startDaemon();
		const wrong = await run(edge, "wbe");
		expect({ exitCode: wrong.exitCode, stdout: wrong.stdout }).toEqual({ exitCode: 1, stdout: "" });
		expect(wrong.stderr).toMatch(/^"wbe" is no port, .* \(did you mean web\?\)$/);
		expect(await run(edge, "--pid", "1")).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("process 1:") });
		const empty = await run(edge, "web");
		expect({ exitCode: empty.exitCode, stdout: empty.stdout }).toMatchObject({
			exitCode: 0,
			stdout: expect.stringContaining("service web: no listener leads to it"),
		});
	});

	test("nothing, where it is asked in a wrong way: with code 2, or 400 at the control socket", async () => {
		await using edge = await openEdge();
		expect(await run(edge, "80")).toMatchObject({ exitCode: 3, stdout: "" });
		await edge.startDaemon();
		for (const words of [["80", "--port", "80"], ["--port", "http"], ["--port", "1", "--pid", "1"], [""]]) {
			expect(await run(edge, ...words)).toMatchObject({ exitCode: 2, stdout: "" });
		}
		expect(await ask(edge.socket, "/v1/explain?port=http")).toEqual({
			status: 400,
			body: { error: "/v1/explain: port must be a whole number" },
		});
		expect(await ask(edge.socket, "/v1/explain?what=nobody-has-this-name")).toMatchObject({ status: 404 });
	});

	test("the daemon lists what ls lists", async () => {
		await using edge = await openEdge();
		const daemon = await edge.startDaemon();
		const { id, netns } = await serve(edge, daemon, "blue");
		const { status, body } = await ask(edge.socket, "/v1/listeners");
		expect(status).toBe(200);
		const [program, ...words] = solistend("ls", "--json", "--config", edge.config);
		const listed: unknown = JSON.parse((await execa(program, words)).stdout);
		const ours = (all: unknown) => (Array.isArray(all) ? all.filter(({ netnsName }) => netnsName === netns.name) : []);
		expect(ours(body)).toMatchObject([{ verdict: { state: "in", places: [{ service: "web", backend: id }] } }]);
		expect(ours(body)).toEqual(ours(listed));
	});
});
