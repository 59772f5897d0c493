/** A running daemon whose worker thread dies or hangs: HAProxy keeps serving, and follows afterwards. */

import { request } from "node:http";
import { execa } from "execa";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { startClient } from "../host/client.js";
import { type Daemon, solistend } from "../host/daemon.js";
import { type Edge, joined, left, openEdge } from "../host/edge.js";
import { eventually } from "../host/eventually.js";
import { type FaultyWorker, faultyWorker } from "../host/fault.js";
import { ask } from "../host/http.js";
import { type Lifetime, lifetime } from "../host/lifetime.js";
import { requirePrivileges, skipPrivileged } from "../host/privileges.js";
import { type RawSocket, rawSocket } from "../host/raw-socket.js";
import { startWebServer } from "../host/web-server.js";

requirePrivileges();

let owned: Lifetime;
let worker: FaultyWorker;
let edge: Edge;
let daemon: Daemon;

beforeEach(async () => {
	owned = lifetime();
	worker = owned.own(await faultyWorker());
	edge = owned.own(await openEdge());
	daemon = edge.owned.own(worker.startDaemon(edge.config));
	await daemon.waitFor("ready", { timeoutMs: 20_000 });
});
afterEach(() => owned.close());

async function serve(name: string) {
	const netns = await edge.segment.addNetns(name);
	return { server: edge.owned.own(await startWebServer({ name, netns })), id: `web/${netns.address}:80` };
}

/** An event that no service cares about: the worker posts something, and meets its fault. */
function stir(): RawSocket {
	const socket = rawSocket();
	expect(socket.bind(0)).toBe(0);
	expect(socket.listen(1)).toBe(0);
	return socket;
}

const DOWN = "the sensor is down: pools stay as they are until it is up again";
const UP = "the sensor is up again: all that listens was read, and pools go on";

/** Status of an answer at the control socket. */
function get(path: string): Promise<number | undefined> {
	return new Promise((resolve, reject) => {
		request({ socketPath: edge.socket, path, signal: AbortSignal.timeout(5000) }, (response) => {
			response.resume();
			response.on("end", () => resolve(response.statusCode));
		})
			.on("error", reject)
			.end();
	});
}

async function status(): Promise<string> {
	const [program, ...words] = solistend("status", "--socket", edge.socket);
	return (await execa(program, words, { env: { NO_COLOR: "1" } })).stdout;
}

describe.skipIf(skipPrivileged)("a worker thread", () => {
	test("that dies over and over leaves all as it is, and that is said; then what changed is brought in", async () => {
		const blue = await serve("blue");
		const green = await serve("green");
		for (const { id } of [blue, green]) await joined(daemon, id);
		const client = edge.owned.own(startClient(edge.url));

		await worker.fault("exit");
		using _stirred = stir();
		expect(await daemon.waitFor(DOWN)).toMatchObject({
			level: "error",
			reason: "the watcher thread died: the worker thread ended",
		});
		await green.server.stop("SIGKILL");
		const red = await serve("red");
		expect(await status()).toMatch(
			/^the sensor is down for \d+s, backends stay as they are: the watcher thread died: the worker thread ended$/m,
		);
		expect(await status()).toMatch(new RegExp(`^web +${green.id.slice(4)} +ready`, "m"));
		expect(await get("/healthz")).toBe(503);
		const before = client.asked;
		await eventually("the client asked on", () => client.asked >= before + 20);

		const from = daemon.lines.length;
		await worker.mend();
		await daemon.waitFor(UP, { from });
		await Promise.all([left(daemon, green.id, from), joined(daemon, red.id, from)]);
		expect(await get("/healthz")).toBe(200);
		expect(await status()).toMatch(/^lost since the start, .*workerDeaths \d+/m);
		const asked = client.asked;
		await eventually("the client asked on", () => client.asked >= asked + 20);
		await client.close();
		// one that green had taken when it was killed ends with it
		expect(client.failed - client.cut).toBe(0);
		expect(client.cut).toBeLessThanOrEqual(1);
		await daemon.stop();
	});

	test("that hangs is replaced, and the next change is followed", async () => {
		const blue = await serve("blue");
		await joined(daemon, blue.id);
		await worker.fault("hang once");
		using _stirred = stir();
		await daemon.waitFor(DOWN);
		await daemon.waitFor(UP);
		const red = await serve("red");
		await joined(daemon, red.id);
		await blue.server.stop("SIGKILL");
		await left(daemon, blue.id);
	});

	test("that is stuck in the kernel ends the daemon; HAProxy goes on, and the next daemon follows", async () => {
		const blue = await serve("blue");
		const green = await serve("green");
		for (const { id } of [blue, green]) await joined(daemon, id);
		await worker.fault("stuck once");
		using _stirred = stir();
		expect(await daemon.exited).toEqual({ code: undefined, signal: "SIGKILL" });
		expect(daemon.lines.at(-1)).toMatchObject({
			level: "fatal",
			msg: "cannot go on, the proxies go on serving what they have",
			reason: "the watcher thread did not end within 1500 ms (the process must end)",
		});
		await green.server.stop("SIGKILL");
		expect(await ask(edge.url)).toEqual({ status: 200, body: "hello from blue\n" });
		const next = await edge.startDaemon();
		await left(next, green.id);
		expect(await ask(edge.url)).toEqual({ status: 200, body: "hello from blue\n" });
	});
});
