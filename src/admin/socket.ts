/** The control socket: a unix socket that only its owner and group may use. Knows nothing of what is asked. */

import { once } from "node:events";
import { existsSync } from "node:fs";
import { chmod, lstat, rm } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { dirname } from "node:path";
import { messageOf } from "../errors.js";
import { isCode } from "../files.js";
import { MAX_ACCEPTED } from "./connections.js";

const MODE = 0o660;

/** Listens there, for owner and group alone; in place of a socket that a daemon that is gone left. */
export async function listenAtPath(path: string, onConnection: (socket: Socket) => void): Promise<Server> {
	if (await isStale(path)) await rm(path, { force: true });
	const server = createServer(onConnection);
	server.maxConnections = MAX_ACCEPTED;
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

/** Why it can't listen there, with the mend. */
export function whyNotAtPath(error: unknown, path: string): string {
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
