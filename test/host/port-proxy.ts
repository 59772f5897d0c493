/**
 * A port proxy as container engines run them: it listens on the host, and passes each connection on to a port inside a
 * network namespace, whether anybody listens there or not. Knows nothing of who does.
 */

import { join } from "node:path";
import { eventually } from "./eventually.js";
import { lifetime } from "./lifetime.js";
import { enter, type Netns } from "./netns.js";
import { freePort } from "./port.js";
import { type Process, startProcess } from "./process.js";
import { tempFolder } from "./temp-folder.js";

export interface PortProxy extends AsyncDisposable {
	readonly pid: number;
	/** At 127.0.0.1. */
	readonly port: number;
	close(): Promise<void>;
}

export interface PortProxyOptions {
	/** Its command name, as the kernel shows it: 15 characters at most. */
	readonly comm: string;
	/** Where the container is. */
	readonly netns: Netns;
	/** Inside; default 80. */
	readonly to?: number;
}

/** Passes connections on; the name of a unix socket means the same in every network namespace. */
const PIPE = `
const { createServer, connect } = require("node:net");
const [, comm, from, to] = process.argv;
process.title = comm;
const placeOf = (text) => (text.startsWith("/") ? { path: text } : { host: "127.0.0.1", port: Number(text) });
const server = createServer((near) => {
	const far = connect(placeOf(to));
	near.on("error", () => far.destroy());
	far.on("error", () => near.destroy());
	near.on("close", () => far.destroy());
	far.on("close", () => near.destroy());
	near.pipe(far).pipe(near);
});
server.listen(placeOf(from), () => console.log("listening"));
`;

/** Starts one at a free port. Resolves when it listens. */
export async function startPortProxy({ comm, netns, to = 80 }: PortProxyOptions): Promise<PortProxy> {
	const owned = lifetime();
	try {
		const socket = join(owned.own(await tempFolder("solistend-port")).path, "inside.sock");
		const port = await freePort();
		owned.own(await startPipe(enter(netns), [comm, socket, String(to)]));
		const { pid } = owned.own(await startPipe([], [comm, String(port), socket]));
		return { pid, port, close: owned.close, [Symbol.asyncDispose]: owned.close };
	} catch (error) {
		await owned.close();
		throw error;
	}
}

async function startPipe(within: readonly string[], words: readonly string[]): Promise<Process> {
	let listens = false;
	const started = startProcess([...within, process.execPath, "-e", PIPE, ...words], {
		onLine: (line) => {
			listens ||= line === "listening";
		},
	});
	const ended = new AbortController();
	void started.exited.then(() => ended.abort(new Error(`the port proxy ended:\n${started.lastLines()}`)));
	try {
		await eventually("the port proxy listens", () => listens, { signal: ended.signal });
	} catch (error) {
		await started.close(0);
		throw error;
	}
	return started;
}
