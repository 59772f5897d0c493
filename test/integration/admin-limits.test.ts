import { readdir, readlink } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { ASK, allOf, dealtWith, openAdmin, send } from "../host/admin.js";
import { openEdge } from "../host/edge.js";
import { eventually } from "../host/eventually.js";
import { answersAre, serve } from "../host/operator.js";
import { freePort } from "../host/port.js";
import { requirePrivileges, skipPrivileged } from "../host/privileges.js";
import { daemonStatus } from "../unit/admin/status.js";

requirePrivileges();

/** How many sockets a process has open. */
async function socketsOf(pid: number | "self"): Promise<number> {
	const folder = `/proc/${pid}/fd`;
	const links = (await readdir(folder)).map((fd) => readlink(`${folder}/${fd}`).catch(() => ""));
	return (await Promise.all(links)).filter((link) => link.startsWith("socket:")).length;
}

/** Says that much, and goes on byte by byte for as long as it is let. @returns all that it is answered */
async function drip(socket: Socket, text: string): Promise<string> {
	const answer = allOf(socket);
	socket.write(text);
	const dripping = setInterval(() => socket.write("x"), 10);
	try {
		return await answer;
	} finally {
		clearInterval(dripping);
	}
}

/** Says something, and takes nothing of what comes. */
function deaf(socket: Socket, text: string): Socket {
	socket.on("error", () => {}).pause();
	socket.write(text);
	return socket;
}

const FOLLOW = ASK.replace("/v1/status", "/v1/events");
const BIG = [{ name: "x".repeat(10_000_000), backends: [] }];

describe.each(["socket", "http"] as const)("who takes too long at the %s is cut:", (where) => {
	test("one that sends its head byte by byte", async () => {
		// long enough for the other one, which asks at once, also where this process gets no time meanwhile
		await using admin = await openAdmin({}, { askingMs: 1000 });
		expect(await drip(admin.dial(where), "GET /v1/status HTTP/1.1\r\nhost: localhost\r\nx: ")).toBe("");
		expect(await send(admin.dial(where), ASK)).toBe(200);
	});

	test("one that says nothing", async () => {
		await using admin = await openAdmin({}, { askingMs: 200 });
		expect(await allOf(admin.dial(where))).toBe("");
	});

	test("one that does not take its answer of 10 MB", async () => {
		await using admin = await openAdmin({ status: () => daemonStatus({ services: BIG }) }, { answeringMs: 200 });
		expect(await send(admin.dial(where), ASK)).toBe(200);
		const before = await socketsOf("self");
		const client = deaf(admin.dial(where), ASK);
		await dealtWith(client);
		// its own end is left
		await eventually("the daemon's is closed", async () => (await socketsOf("self")) === before + 1);
		client.destroy();
	});

	test("one that follows the events and reads nothing, while others are told", async () => {
		await using admin = await openAdmin({}, { followingMs: 300 });
		const client = deaf(admin.dial(where), FOLLOW);
		await eventually("it follows", async () => admin.followed() === 1);
		let n = 0;
		await eventually("it is cut", async () => {
			admin.become({ services: [{ name: `${n++}${"x".repeat(2_000_000)}`, backends: [] }] });
			return admin.followed() === 0;
		});
		client.destroy();
		const other = admin.dial(where);
		const told = allOf(other);
		other.write(FOLLOW);
		await eventually("another one follows", async () => admin.followed() === 1);
		other.end();
		expect(await told).toContain("event: status");
	});
});

test("one that announces a body and sends it byte by byte is cut", async () => {
	await using admin = await openAdmin({}, { answeringMs: 200 });
	const text = "POST /v1/hold HTTP/1.1\r\nhost: localhost\r\ncontent-length: 16000\r\n\r\n";
	expect(await drip(admin.dial("socket"), text)).toBe("");
	expect(await send(admin.dial("socket"), ASK)).toBe(200);
});

test("a body without an end is not read to it", async () => {
	await using admin = await openAdmin();
	const chunk = `1000\r\n${"x".repeat(4096)}\r\n`;
	const head = "HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n";
	expect(await send(admin.dial("socket"), `POST /v1/hold ${head}${chunk.repeat(100)}`)).toBe(413);
	expect(await send(admin.dial("http"), `POST /v1/hold ${head}${chunk.repeat(100)}`)).toBe(405);
	expect(await send(admin.dial("http"), `GET /v1/status ${head}${chunk.repeat(100)}`)).toBe(200);
});

test("whoever asks again and again over HTTP does not keep the daemon from its work", async () => {
	await using admin = await openAdmin({
		status() {
			const untilMs = performance.now() + 20;
			while (performance.now() < untilMs);
			return daemonStatus();
		},
	});
	/** The daemon's own work, here: one step whenever it has time. */
	let steps = 0;
	const working = setInterval(() => steps++, 1);
	const answers = await Promise.all(Array.from({ length: 20 }, () => send(admin.dial("http"), ASK)));
	clearInterval(working);
	expect(answers).toEqual(answers.map(() => 200));
	// one after the other, it would have had one between each two
	expect(steps).toBeGreaterThan(100);
});

describe.skipIf(skipPrivileged)("a daemon with 1,000 connections and more", () => {
	test("has a backend in HAProxy as ever, and none of them left afterwards", async () => {
		const port = await freePort();
		await using edge = await openEdge();
		await edge.configure({ settings: { admin: { socket: edge.socket, http: port } } });
		const daemon = await edge.startDaemon();
		const dial = [() => connect(edge.socket), () => connect(port, "127.0.0.1")];
		const statuses = () => Promise.all(dial.map((to) => send(to(), ASK)));
		expect(await statuses()).toEqual([200, 200]);
		const before = await socketsOf(daemon.pid);

		const clients = dial.flatMap((to) => [
			...Array.from({ length: 16 }, () => deaf(to(), FOLLOW)),
			...Array.from({ length: 20 }, () => deaf(to(), ASK.replace("status", "listeners"))),
			...Array.from({ length: 500 }, () => deaf(to(), "GET /v1/status HTTP/1.1\r\nx: ")),
		]);
		await Promise.all(clients.map(dealtWith));
		let asked = 0;
		const hammering = Array.from({ length: 8 }, async () => {
			while (asked < 100_000) {
				asked++;
				await allOf(connect(port, "127.0.0.1").end(ASK));
			}
		});
		await serve(edge, daemon, "blue");
		await answersAre(edge, "blue");
		asked = Number.POSITIVE_INFINITY;
		await Promise.all(hammering);
		for (const client of clients) client.destroy();
		// At the first count one may have been open that does not stay, such as that of a look at HAProxy.
		await eventually("all of them are gone", async () => (await socketsOf(daemon.pid)) <= before);
		expect(await statuses()).toEqual([200, 200]);
	});
});
