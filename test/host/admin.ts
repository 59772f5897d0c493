/**
 * An admin stage of its own, of a daemon that is not there, and clients that speak to it byte by byte. Knows nothing of what
 * is asked.
 */

import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { pino } from "pino";
import { createAdmin } from "../../src/admin/admin.js";
// Loaded with the first question, which takes longer here than some tests let a question take.
import "../../src/admin/api.js";
import { PATIENCE, type Patience } from "../../src/admin/connections.js";
import type { DaemonStatus, DaemonView } from "../../src/admin/view.js";
import { createBell } from "../../src/bell.js";
import { daemonStatus } from "../unit/admin/status.js";
import { lifetime } from "./lifetime.js";
import { freePort } from "./port.js";
import { tempFolder } from "./temp-folder.js";

/**
 * Opens an admin stage at both its places.
 *
 * @param changes what the daemon is said to be
 */
export async function openAdmin(changes: Partial<DaemonView> = {}, patience: Partial<Patience> = {}) {
	const owned = lifetime();
	const folder = owned.own(await tempFolder());
	const bell = createBell();
	let status = daemonStatus();
	let looks = 0;
	let followed = 0;
	const nothing = () => {
		throw new Error("nobody is to ask for this");
	};
	const view: DaemonView = {
		status() {
			looks++;
			return status;
		},
		timeline: () => ({ since: status.startedAt, entries: [] }),
		subscribe(tell) {
			followed++;
			const end = bell.subscribe(tell);
			return () => {
				followed--;
				end();
			};
		},
		listeners: () => [],
		explain: nothing,
		hold: nothing,
		release: nothing,
		forget: nothing,
		drainHost: nothing,
		resync: nothing,
		reload: nothing,
		...changes,
	};
	const lines: { level: number; msg: string }[] = [];
	const write = (line: string) => void lines.push(JSON.parse(line));
	const admin = createAdmin(view, pino({}, { write }), { ...PATIENCE, ...patience });
	owned.own({ close: admin.close });
	const socket = join(folder.path, "admin.sock");
	const port = await freePort();
	const places = { socket, http: { address: "127.0.0.1", port }, host: "edge-1", hosts: [] };
	await admin.listen(places);
	return {
		admin,
		places,
		port,
		/** What it logged. */
		lines,
		/** How often the status was asked for. */
		looks: () => looks,
		/** How many want to be told of changes. */
		followed: () => followed,
		become(next: Partial<DaemonStatus>) {
			status = daemonStatus(next);
			bell.ring();
		},
		/** A connection to one of the two. */
		dial: (where: "socket" | "http") => (where === "http" ? connect(port, "127.0.0.1") : connect(socket)),
		[Symbol.asyncDispose]: owned.close,
	};
}

/** All that comes until the other side ends it. */
export async function allOf(socket: Socket): Promise<string> {
	let text = "";
	socket
		.on("error", () => {})
		.on("data", (chunk: Buffer) => {
			text += chunk.toString();
		});
	await new Promise((resolve) => socket.once("close", resolve));
	return text;
}

/** Resolves once it is connected, or will never be. */
export const dealtWith = (socket: Socket) =>
	new Promise<void>((resolve) => {
		if (!socket.connecting) resolve();
		socket.once("connect", () => resolve()).once("close", () => resolve());
	});

export const ASK = "GET /v1/status HTTP/1.1\r\nhost: localhost\r\n\r\n";
export const statusOf = (text: string) => Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1]);

/** Sends bytes and returns the status of the answer. */
export async function send(socket: Socket, text: string): Promise<number> {
	const answer = allOf(socket);
	socket.write(text);
	return statusOf(await answer);
}
