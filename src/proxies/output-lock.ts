/**
 * One daemon per output: a unix socket beside the file, on which its owner answers its process id. The kernel lets go
 * of it when the owner dies, however that was; what is left is a name that refuses connections. Knows nothing of proxies.
 */

import { createHash } from "node:crypto";
import { once } from "node:events";
import { type FileHandle, link, open, rename, rm } from "node:fs/promises";
import { connect, createServer, type Server } from "node:net";
import { basename, dirname } from "node:path";
import { SolistendError } from "../errors.js";
import { outputFiles } from "./atomic-write.js";

export interface OutputLock {
	/** Lets go. */
	close(): Promise<void>;
}

/** Names of sockets end at 107 bytes, unix(7); some are taken by the folder's path. */
const LONGEST_NAME = 72;

/** How long an owner that is busy is waited for; that there is one is known by then. */
const ANSWER_MS = 1000;

/** Each attempt but the last lost a race for a name that was left behind. */
const ATTEMPTS = 3;

/**
 * Takes the lock of an output.
 * @throws SolistendError when another process has it; what the file system says when there can be no socket.
 */
export async function lockOutput(path: string): Promise<OutputLock> {
	const { output } = await outputFiles(path);
	const folder = await open(dirname(output), "r");
	try {
		// By way of the folder's descriptor: its own path may be too long for a socket.
		const socket = `/proc/self/fd/${folder.fd}/${nameOf(output)}`;
		for (let attempt = 1; ; attempt++) {
			const server = await listenOn(socket);
			if (server !== undefined) return lockBy(server, folder);
			const owner = (await ownerOf(socket)) ?? (await moveAside(socket));
			if (owner !== undefined || attempt === ATTEMPTS) throw inUse(path, owner);
		}
	} catch (error) {
		await folder.close();
		throw error;
	}
}

/** Hidden, as all files beside the output: no include pattern matches it. */
function nameOf(output: string): string {
	const name = basename(output);
	const short = name.length <= LONGEST_NAME ? name : createHash("sha256").update(name).digest("hex").slice(0, 32);
	return `.${short}.lock`;
}

/** Undefined when there is such a name already. */
async function listenOn(socket: string): Promise<Server | undefined> {
	const server = createServer((connection) => {
		connection.on("error", () => {});
		connection.end(String(process.pid), () => connection.destroy());
	});
	// It is no reason to stay alive.
	server.unref();
	server.listen(socket);
	try {
		await once(server, "listening");
		return server;
	} catch (error) {
		if (error instanceof Error && "code" in error && error.code === "EADDRINUSE") return undefined;
		throw error;
	}
}

function lockBy(server: Server, folder: FileHandle): OutputLock {
	return {
		async close() {
			// Removes the name, by way of the folder.
			await new Promise((resolve) => server.close(resolve));
			await folder.close();
		},
	};
}

/** The process id of the one who listens, "" when it does not say; undefined when nobody does. */
function ownerOf(socket: string): Promise<string | undefined> {
	return new Promise((resolve) => {
		let said = "";
		let connected = false;
		const connection = connect(socket, () => {
			connected = true;
		});
		connection.setTimeout(ANSWER_MS, () => connection.destroy());
		connection.setEncoding("utf8").on("data", (text: string) => {
			said = (said + text).slice(0, 10);
		});
		connection.on("error", () => {});
		connection.on("close", () => resolve(connected ? said : undefined));
	});
}

/**
 * Takes away a name that refuses connections. Another process may have done so in between, and listen by now: then it
 * gets its name back, and is returned as the owner.
 */
async function moveAside(socket: string): Promise<string | undefined> {
	const aside = `${socket}.${process.pid}`;
	try {
		await rename(socket, aside);
	} catch (error) {
		if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
		throw error;
	}
	const owner = await ownerOf(aside);
	if (owner !== undefined) await link(aside, socket).catch(() => {});
	await rm(aside, { force: true });
	return owner;
}

function inUse(output: string, owner: string | undefined): SolistendError {
	const isOwn = owner === String(process.pid);
	const who = isOwn ? "another proxy of this configuration" : `another solistend${owner ? ` (pid ${owner})` : ""}`;
	const mend = isOwn ? "give each an output of its own" : "stop that one, or give this proxy an output of its own";
	return new SolistendError("proxy", `cannot use output ${output}: ${who} writes it (${mend})`);
}
