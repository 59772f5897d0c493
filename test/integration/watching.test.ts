import { get } from "node:http";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, test } from "vitest";
import { solistend } from "../host/daemon.js";
import { openEdge } from "../host/edge.js";
import { eventually } from "../host/eventually.js";
import { ask } from "../host/http.js";
import { serve } from "../host/operator.js";
import { freePort } from "../host/port.js";
import { requirePrivileges, skipPrivileged } from "../host/privileges.js";
import { startProcess } from "../host/process.js";
import { tempFolder } from "../host/temp-folder.js";

requirePrivileges();

describe.skipIf(skipPrivileged)("a daemon with a status page", () => {
	test("tells of a backend as it comes, in the page, the events and the metrics; and closes it with the configuration", async () => {
		await using edge = await openEdge();
		const port = await freePort();
		const url = `http://127.0.0.1:${port}`;
		await edge.configure({ settings: { admin: { socket: edge.socket, http: port } } });
		const daemon = await edge.startDaemon();
		let events = "";
		const following = get(`${url}/v1/events`, (response) => {
			response.setEncoding("utf8").on("data", (chunk: string) => {
				events += chunk;
			});
		});
		following.on("error", () => {});
		await eventually("the first event", async () => events.includes("event: status"));
		expect((await ask(url)).body).toContain("Nothing that listens matches it");

		const blue = await serve(edge, daemon, "blue");
		await eventually("its event", async () =>
			events.includes(`event: backend\ndata: {"service":"web","id":"${blue.id}","state":"ready"`),
		);
		await eventually("the proxy's event", async () => events.includes('event: proxy\ndata: {"name":"edge"'));
		expect((await ask(url)).body).toContain(`data-key="${blue.id}" data-state="ready"`);
		expect((await ask(`${url}/metrics`)).body).toMatch(
			/^solistend_listen_to_applied_seconds_count\{proxy="edge"\} [1-9]/m,
		);
		await blue.close();
		await eventually("its end", async () => events.includes('"state":"closing"'));
		const { entries } = JSON.parse((await ask(`${url}/v1/timeline`)).body);
		expect(entries.map(({ backend, state }: { backend: string; state: string }) => [backend, state])).toContainEqual([
			blue.id,
			"ready",
		]);

		await edge.configure();
		await daemon.waitFor("configuration taken");
		await expect(ask(`${url}/healthz`)).rejects.toThrow("ECONNREFUSED");
		following.destroy();
	});
});

const ENTER = "\u001b[?1049h";
const LEAVE = "\u001b[?1049l";

describe.skipIf(skipPrivileged)("status --watch", () => {
	/** On a terminal of its own, made by script(1). */
	function watch(socket: string) {
		let screen = "";
		const [program, ...words] = solistend("status", "--watch", "--socket", socket);
		const line = [program, ...words].join(" ");
		const child = startProcess(["script", "-qefc", line, "/dev/null"], {
			stdin: true,
			onLine: (text) => {
				screen += `${text}\n`;
			},
		});
		return Object.assign(child, { screen: () => screen });
	}

	test.each([
		["q", "q"],
		["Ctrl-C", "\u0003"],
	])("draws what changes, and leaves the terminal as it was at %s", async (_, key) => {
		await using edge = await openEdge();
		const daemon = await edge.startDaemon();
		await using watching = watch(edge.socket);
		await eventually("the first drawing", async () => watching.screen().includes("SERVICE"));
		const { id } = await serve(edge, daemon, "blue");
		await eventually("the backend", async () => watching.screen().includes(id));
		watching.write(key);
		expect(await watching.exited).toMatchObject({ code: 0 });
		const screen = watching.screen();
		expect(screen.indexOf(ENTER)).toBeLessThan(screen.indexOf("SERVICE"));
		expect(screen.lastIndexOf(LEAVE)).toBeGreaterThan(screen.lastIndexOf("SERVICE"));
		expect(screen).toContain("\u001b[?25h");
	});

	test("goes on when the daemon is started anew", async () => {
		await using edge = await openEdge();
		const first = await edge.startDaemon();
		await using watching = watch(edge.socket);
		await eventually("the first drawing", async () => watching.screen().includes(`pid ${first.pid}`));
		await first.stop();
		await eventually("that it is gone", async () => /no daemon answers|ended, or was started/.test(watching.screen()));
		const second = await edge.startDaemon();
		await eventually("the other one", async () => watching.screen().includes(`pid ${second.pid}`));
		watching.write("q");
		expect(await watching.exited).toMatchObject({ code: 0 });
	});

	test("without a terminal says what there is for programs, which get a line for each change", async () => {
		await using edge = await openEdge();
		const daemon = await edge.startDaemon();
		const [program, ...words] = solistend("status", "--watch", "--socket", edge.socket);
		const { stderr, exitCode, stdout } = await execa(program, words, { reject: false });
		expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "" });
		expect(stderr).toContain("--watch --json");
		const lines: string[] = [];
		await using following = startProcess([program, ...words, "--json"], { onLine: (line) => lines.push(line) });
		await eventually("a status", async () => lines.length > 0);
		const { id } = await serve(edge, daemon, "blue");
		await eventually("the backend", async () => lines.some((line) => line.includes(id)));
		for (const line of lines) expect(JSON.parse(line)).toMatchObject({ pid: daemon.pid });
		await following.close();
	});

	test("without a daemon leaves the terminal alone", async () => {
		await using folder = await tempFolder();
		await using watching = watch(join(folder.path, "admin.sock"));
		expect(await watching.exited).toMatchObject({ code: 3 });
		expect(watching.screen()).toContain("no daemon answers");
		expect(watching.screen()).not.toContain(ENTER);
	});
});
