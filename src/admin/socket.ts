/**
 * The control socket: a unix socket that only its owner and group may use. Each connection is bounded in number and
 * time, and handed to the HTTP server, which is loaded with the first one. Never fatal: a daemon that can't be asked still
 * keeps its proxies right. Knows nothing of what is asked.
 */

import { once } from "node:events";
import { existsSync } from "node:fs";
import { chmod, lstat, rm } from "node:fs/promises";
import type { Server as HttpServer } from "node:http";
import { connect, createServer, type Server, type Socket } from "node:net";
import { dirname } from "node:path";
import type { Logger } from "pino";
import { messageOf } from "../errors.js";
import { isCode } from "../files.js";
import type { DaemonView } from "./view.js";

const MODE = 0o660;
const MAX_CONNECTIONS = 32;
/** The whole time of a connection. */
const CONNECTION_MS = 30_000;

export interface ControlSocket {
	/**
	 * Listens there, and at no other place any more; who asked at the last one still gets the answer. That it can't is told
	 * in the log.
	 */
	listen(path: string): Promise<void>;
	/** Ends what is under way, and removes the socket. */
	close(): Promise<void>;
}

/** A control socket that listens nowhere yet. */
export function createControlSocket(view: DaemonView, log: Logger): ControlSocket {
	let http: Promise<HttpServer> | undefined;
	let server: Server | undefined;
	const open = new Set<Socket>();

	const onConnection = (socket: Socket) => {
		open.add(socket);
		const limit = setTimeout(() => socket.destroy(), CONNECTION_MS);
		socket.once("close", () => {
			clearTimeout(limit);
			open.delete(socket);
		});
		// who hangs up is not our trouble
		socket.on("error", () => socket.destroy());
		http ??= import("./api.js").then(({ createApi }) => createApi(view));
		void http.then((api) => api.emit("connection", socket));
	};

	return {
		async listen(path) {
			server?.close();
			try {
				if (await isStale(path)) await rm(path, { force: true });
				server = await listenAt(path, onConnection);
			} catch (error) {
				server = undefined;
				log.warn(
					{ socket: path, reason: reasonOf(error, path) },
					"no control socket: solistend status, drain, hold and release will not reach this daemon",
				);
			}
		},
		async close() {
			const closed = server && once(server, "close");
			server?.close();
			for (const socket of open) socket.destroy();
			await closed;
		},
	};
}

/** For owner and group alone. */
async function listenAt(path: string, onConnection: (socket: Socket) => void): Promise<Server> {
	const server = createServer(onConnection);
	server.maxConnections = MAX_CONNECTIONS;
	server.listen(path);
	await once(server, "listening");
	try {
		await chmod(path, MODE);
	} catch (error) {
		server.close();
		throw error;
	}
	return server;
}

/** Whether a daemon that is gone left it. Never for a file that is no socket. */
async function isStale(path: string): Promise<boolean> {
	const found = await lstat(path).catch(() => undefined);
	if (found?.isSocket() !== true) return false;
	const socket = connect(path);
	try {
		await once(socket, "connect");
		return false;
	} catch (error) {
		return isCode(error, "ECONNREFUSED");
	} finally {
		socket.destroy();
	}
}

function reasonOf(error: unknown, path: string): string {
	if (isCode(error, "EADDRINUSE")) {
		return `${path} is in use, by another daemon or as a file (give each daemon its own admin.socket)`;
	}
	// a missing folder comes as EACCES in libuv
	const folder = dirname(path);
	if (!existsSync(folder)) {
		return `the folder ${folder} does not exist (create it, or name another place as admin.socket)`;
	}
	if (isCode(error, "EACCES") || isCode(error, "EPERM")) {
		return `permission denied (let the daemon's user write in ${folder}, or name another place as admin.socket)`;
	}
	return `${messageOf(error)} (name another place as admin.socket)`;
}
