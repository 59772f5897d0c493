import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readLive } from "../../../../src/proxies/haproxy/live.js";
import { parseProcesses, reloadByMaster } from "../../../../src/proxies/haproxy/master.js";
import { askSocket } from "../../../../src/proxies/haproxy/runtime-api.js";

let folder: string;
let socket: string;
let servers: Server[];

beforeEach(async () => {
	folder = await mkdtemp(join(tmpdir(), "solistend-socket-"));
	socket = join(folder, "s");
	servers = [];
});

afterEach(async () => {
	for (const server of servers) await new Promise((resolve) => server.close(resolve));
	await rm(folder, { recursive: true });
});

/** A HAProxy that answers each command line as it is told; the commands that it got. */
async function listen(answer: (command: string, connection: Socket) => void, path = socket): Promise<string[]> {
	const commands: string[] = [];
	const server = createServer((connection) => {
		connection.on("error", () => {});
		connection.on("data", (data) => {
			const command = data.toString().trim();
			commands.push(command);
			answer(command, connection);
		});
	});
	servers.push(server);
	await new Promise<void>((resolve) => server.listen(path, resolve));
	return commands;
}

const signal = new AbortController().signal;
const ask = (settings: object = {}) =>
	askSocket({ socket, command: "show info", timeoutMs: 5000, signal, ...settings });

describe("a question to a socket", () => {
	test("is answered in full, however it is cut", async () => {
		const commands = await listen((_, connection) => {
			connection.write("Name: HA");
			setImmediate(() => connection.end("Proxy\n\n"));
		});
		expect(await ask()).toEqual({ ok: true, text: "Name: HAProxy\n\n" });
		expect(commands).toEqual(["show info"]);
	});

	test("arrives in full, also where a socket takes less of it at once", async () => {
		let heard = "";
		const server = createServer((connection) => {
			connection.on("data", (data) => {
				heard += data.toString();
				if (heard.endsWith("\n")) connection.end("heard\n\n");
			});
		});
		servers.push(server);
		await new Promise<void>((resolve) => server.listen(socket, resolve));
		const command = "show info;".repeat(200_000);
		expect(await ask({ command })).toEqual({ ok: true, text: "heard\n\n" });
		expect(heard).toBe(`${command}\n`);
	});

	test("has its own connection, also beside others and after them", async () => {
		await listen((command, connection) => connection.end(`${command}\n\n`));
		for (const round of [1, 2, 3]) {
			const commands = [`a ${round}`, `b ${round}`, `c ${round}`];
			const answers = await Promise.all(commands.map((command) => ask({ command })));
			expect(answers).toEqual(commands.map((command) => ({ ok: true, text: `${command}\n\n` })));
		}
	});

	test("that nobody hears: no socket", async () => {
		expect(await ask()).toMatchObject({
			ok: false,
			trouble: "absent",
			why: expect.stringContaining(`${socket} is not there`),
		});
		expect(await ask({ socket: join(socket, "below") })).toMatchObject({ ok: false, trouble: "absent" });
	});

	test("that nobody hears: a socket without a listener", async () => {
		await writeFile(socket, "");
		expect(await ask()).toMatchObject({ ok: false, trouble: "refused" });
	});

	test("that is not answered in time", async () => {
		await listen(() => {});
		expect(await ask({ timeoutMs: 50 })).toMatchObject({
			ok: false,
			trouble: "timeout",
			why: expect.stringContaining('did not answer "show info" within 50 ms'),
		});
	});

	test("that is answered by half", async () => {
		await listen((_, connection) => void connection.end("Name: HA"));
		expect(await ask()).toMatchObject({ ok: false, trouble: "closed" });
	});

	test("that is not answered at all", async () => {
		await listen((_, connection) => void connection.end());
		expect(await ask()).toMatchObject({ ok: false, trouble: "closed" });
	});

	test("whose path is too long for a socket", async () => {
		expect(await ask({ socket: `/tmp/${"x".repeat(200)}` })).toMatchObject({ ok: false });
	});

	test("that is aborted rejects with the reason", async () => {
		await listen(() => {});
		const abort = new AbortController();
		const asking = ask({ signal: abort.signal });
		abort.abort(new Error("stopping"));
		await expect(asking).rejects.toThrow("stopping");
		await expect(ask({ signal: abort.signal })).rejects.toThrow("stopping");
	});
});

/** As HAProxy 2.6.12 answers. */
const processes = (reloads: number, failed: number, workers: readonly number[], old: readonly number[] = []) =>
	[
		"#<PID>          <type>          <reloads>       <uptime>        <version>      ",
		`11965           master          ${reloads} [failed: ${failed}]   0d00h00m02s     2.6.12-1+deb12u4`,
		"# workers",
		...workers.map((pid) => `${pid}           worker          0               0d00h00m02s     2.6.12-1+deb12u4`),
		...(old.length > 0 ? ["# old workers"] : []),
		...old.map((pid) => `${pid}           worker          1               0d00h00m09s     2.6.12-1+deb12u4`),
		"# programs",
		"",
		"",
	].join("\n");

test("the list of processes is read", () => {
	expect(parseProcesses(processes(3, 2, [12], [10, 11]))).toEqual({ workers: [12], oldWorkers: [10, 11], failed: 2 });
	expect(() => parseProcesses("Unknown command\n\n")).toThrow('it says "Unknown command" (is this the master socket?)');
});

describe("a reload by the master socket", () => {
	const reload = (timeoutMs = 5000) => reloadByMaster({ socket, timeoutMs, signal });

	/** A master of 2.6, which says nothing: the list of processes before the reload, then one after the other. */
	function master(...lists: readonly string[]) {
		let next = 0;
		return listen((command, connection) => {
			if (command === "reload") connection.end();
			else connection.end(lists[Math.min(next++, lists.length - 1)] ?? "");
		});
	}

	test("worked when there is a new worker", async () => {
		const commands = await master(processes(0, 0, [10]), processes(1, 0, [11], [10]));
		await reload();
		expect(commands).toEqual(["show proc;quit", "reload", "show proc;quit"]);
	});

	test("worked after failed ones, whose count begins anew", async () => {
		await master(processes(4, 3, [10]), processes(5, 0, [11], [10]));
		await reload();
	});

	test("is waited for when the list comes too soon", async () => {
		await master(processes(0, 0, [10]), processes(0, 0, [10]), processes(1, 0, [11]));
		await reload();
	});

	test("failed when the count of failed ones has grown", async () => {
		await master(processes(4, 3, [10]), processes(5, 4, [10]));
		await expect(reload()).rejects.toThrow("HAProxy refused the reload and keeps its configuration: its log says why");
	});

	test("failed when there is no new worker in time", async () => {
		await master(processes(0, 0, [10]));
		// the first list has to come within that, too, also where others are at work
		await expect(reload(1000)).rejects.toThrow(
			"HAProxy shows no new worker 1000 ms after the reload (look at its log)",
		);
	});

	test("is believed when the answer says so, from 2.7 on", async () => {
		const commands = await listen((command, connection) => {
			if (command === "reload") connection.end("Success=1\n--\n[NOTICE]   (1) : Loading success.\n");
			else connection.end(processes(0, 0, [10]));
		});
		await reload();
		expect(commands).toEqual(["show proc;quit", "reload"]);
	});

	test("is not believed when the answer says so, from 2.7 on, and repeats why", async () => {
		await listen((command, connection) => {
			if (command === "reload") {
				connection.end(
					"Success=0\n--\n[NOTICE]   (1) : haproxy version is 3.0.11\n[ALERT]    (1) : config : parsing [x:1] : unknown keyword\n",
				);
			} else {
				connection.end(processes(0, 0, [10]));
			}
		});
		await expect(reload()).rejects.toThrow(
			"HAProxy refused the reload and keeps its configuration: [ALERT]    (1) : config : parsing [x:1] : unknown keyword",
		);
	});

	test("needs a master", async () => {
		await expect(reload()).rejects.toThrow(`cannot reload HAProxy: ${socket} is not there`);
	});
});

describe("the live state", () => {
	const masterSocket = () => join(folder, "m");
	const live = (sockets: object) => readLive({ timeout: 5000, ...sockets }, signal);

	test("is unknown without a socket to ask", async () => {
		expect(await live({})).toEqual({ state: "unknown" });
	});

	test("is down when nobody listens", async () => {
		expect(await live({ runtimeSocket: socket })).toMatchObject({ state: "down" });
		expect(await live({ masterSocket: socket })).toMatchObject({ state: "down" });
		expect(await live({ runtimeSocket: socket, masterSocket: masterSocket() })).toMatchObject({ state: "down" });
	});

	test("is unknown, with the reason, when only the master is there", async () => {
		await listen((_, connection) => void connection.end(processes(0, 0, [1])), masterSocket());
		expect(await live({ masterSocket: masterSocket() })).toEqual({ state: "unknown" });
		expect(await live({ runtimeSocket: socket, masterSocket: masterSocket() })).toMatchObject({
			state: "unknown",
			why: expect.stringContaining(`${socket} is not there`),
		});
	});

	test("is mute when somebody listens and does not answer", async () => {
		await listen(() => {});
		expect(await live({ runtimeSocket: socket, timeout: 50 })).toMatchObject({ state: "mute" });
		expect(await live({ masterSocket: socket, timeout: 50 })).toMatchObject({ state: "mute" });
	});
});
