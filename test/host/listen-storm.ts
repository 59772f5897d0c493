/** A process in a namespace that opens and closes listeners as fast as it can, then keeps some. See listen-storm.mjs. */

import { fileURLToPath } from "node:url";
import { enter, type Netns } from "./netns.js";
import { startProcess } from "./process.js";

export interface ListenStormOptions {
	/** Default: the host's namespace. */
	readonly netns?: Netns;
	/** How many listeners to open and close again, one after the other in each of `concurrency` lines. */
	readonly pairs: number;
	readonly concurrency?: number;
	/** How many to open at the end and keep until it is closed. */
	readonly keep?: number;
}

/** What listens when the storm is over. */
export interface StormResult {
	readonly pairs: number;
	/** How long the pairs took. */
	readonly ms: number;
	readonly open: readonly { readonly address: string; readonly port: number }[];
}

export interface ListenStorm extends AsyncDisposable {
	readonly pid: number;
	/** Resolves when every pair is closed and what is kept is open. */
	readonly finished: Promise<StormResult>;
	/** Ends the process, and with it what it keeps. */
	close(): Promise<void>;
}

const SCRIPT = fileURLToPath(new URL("listen-storm.mjs", import.meta.url));

export function startListenStorm({ netns, pairs, concurrency = 10, keep = 0 }: ListenStormOptions): ListenStorm {
	let report: (line: string) => void = () => {};
	const reported = new Promise<string>((resolve) => {
		report = resolve;
	});
	const storm = startProcess([...enter(netns), process.execPath, SCRIPT, ...[pairs, concurrency, keep].map(String)], {
		stdin: true,
		onLine: (line, stream) => stream === "stdout" && report(line),
	});
	const endedEarly = storm.exited.then(({ code }) => {
		throw new Error(`listen-storm.mjs ended with code ${code}:\n${storm.lastLines()}`);
	});
	const finished = Promise.race([reported.then((line): StormResult => JSON.parse(line)), endedEarly]);
	// Who closes it early need not care for the result.
	finished.catch(() => {});
	return { pid: storm.pid, finished, close: storm.close, [Symbol.asyncDispose]: storm.close };
}
