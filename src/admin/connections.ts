/**
 * The connections of one place where the daemon is asked, bounded in number and time. Whoever is silent, or does not take
 * its answer, goes before somebody is turned away, so that no crowd of them keeps others out. The HTTP server is loaded
 * with the first connection. Knows nothing of what is asked.
 */

import type { Server as HttpServer } from "node:http";
import type { Socket } from "node:net";

/** At once, streams aside. */
const MAX_CONNECTIONS = 32;
const MAX_STREAMS = 16;
/** With those that are being turned away; whatever comes beyond is closed without a word. */
export const MAX_ACCEPTED = 512;

/** How long whoever asks may take, in milliseconds. */
export interface Patience {
	/** From being accepted to the end of the request's head. */
	readonly askingMs: number;
	/** From then on, until the answer is taken. */
	readonly answeringMs: number;
	/** For one step of the events. */
	readonly followingMs: number;
}

/** Of a daemon that runs; tests have less of it. */
export const PATIENCE: Patience = { askingMs: 10_000, answeringMs: 30_000, followingMs: 15_000 };

const TEXT = '{"error":"too many connections (try again)"}\n';
const BUSY = [
	"HTTP/1.1 503 Service Unavailable",
	"content-type: application/json",
	`content-length: ${TEXT.length}`,
	"retry-after: 1",
	"connection: close",
	"",
	TEXT,
].join("\r\n");

/** What the HTTP server tells of a connection. */
export interface Phases {
	/** The head of its request is here. */
	asked(socket: Socket): void;
	/** Its whole answer was handed over; whether it is taken is up to the other side. */
	answered(socket: Socket): void;
	/** From now on it lasts as long as it likes. False when too many do already: then nothing has changed. */
	streams(socket: Socket): boolean;
}

export interface Connections {
	take(socket: Socket): void;
	/** Ends all of them. */
	close(): void;
}

interface Connection {
	phase: "asking" | "answering" | "answered" | "streaming";
	limit: NodeJS.Timeout | undefined;
}

/** @param load makes the HTTP server, which listens nowhere: connections are handed to it */
export function createConnections(load: (phases: Phases) => Promise<HttpServer>, patience: Patience): Connections {
	let http: Promise<HttpServer> | undefined;
	/** In the order in which they came. */
	const open = new Map<Socket, Connection>();

	const within = (socket: Socket, ms: number) => setTimeout(() => socket.destroy(), ms);
	const enter = (socket: Socket, phase: Connection["phase"], ms?: number) => {
		const connection = open.get(socket);
		if (connection === undefined) return;
		connection.phase = phase;
		if (ms === undefined && phase !== "streaming") return;
		clearTimeout(connection.limit);
		connection.limit = ms === undefined ? undefined : within(socket, ms);
	};
	const count = (isStream: boolean) =>
		[...open.values()].filter(({ phase }) => (phase === "streaming") === isStream).length;
	const oldest = (wanted: Connection["phase"]) => [...open].find(([, { phase }]) => phase === wanted)?.[0];

	/** Room for one more; false: all are being answered. */
	const makeRoom = (): boolean => {
		if (count(false) < MAX_CONNECTIONS) return true;
		const silent = oldest("asking");
		const lazy = silent === undefined ? oldest("answered") : undefined;
		if (silent !== undefined) turnAway(silent);
		lazy?.destroy();
		for (const socket of [silent, lazy]) if (socket !== undefined) forget(socket);
		return silent !== undefined || lazy !== undefined;
	};
	const forget = (socket: Socket) => {
		clearTimeout(open.get(socket)?.limit);
		open.delete(socket);
	};

	const phases: Phases = {
		asked: (socket) => enter(socket, "answering", patience.answeringMs),
		answered: (socket) => enter(socket, "answered"),
		streams(socket) {
			if (!open.has(socket) || count(true) >= MAX_STREAMS) return false;
			enter(socket, "streaming");
			return true;
		},
	};

	return {
		take(socket) {
			// who hangs up is not our trouble
			socket.on("error", () => socket.destroy());
			if (!makeRoom()) return turnAway(socket);
			open.set(socket, { phase: "asking", limit: within(socket, patience.askingMs) });
			socket.once("close", () => forget(socket));
			http ??= load(phases);
			void http.then((server) => server.emit("connection", socket));
		},
		close() {
			for (const socket of open.keys()) {
				forget(socket);
				socket.destroy();
			}
		},
	};
}

function turnAway(socket: Socket): void {
	socket.end(BUSY, () => socket.destroy());
}
