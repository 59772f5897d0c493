/** The processes of `sockets.c`, in the VM. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

export interface Program extends AsyncDisposable {
	/** Who holds the socket. */
	readonly pid: number;
	/** Ends it, with all its processes. */
	close(): Promise<void>;
}

/** Starts `sockets WORDS` and waits until it is in the state that it is for. `prefix` runs it, such as `nsenter`. */
export async function startProgram(
	words: readonly (string | number)[],
	prefix: readonly string[] = [],
): Promise<Program> {
	const [command = "", ...rest] = [...prefix, "sockets", ...words.map(String)];
	const started = spawn(command, rest, { stdio: ["pipe", "pipe", "inherit"] });
	// also when its processes outlive the one that was started
	const closed = once(started, "close");
	const lines = createInterface({ input: started.stdout });
	const line = await Promise.race([once(lines, "line"), closed.then(([code]) => `ended with ${code}`)]);
	const pid = /^ready (\d+)$/.exec(String(line))?.[1];
	if (pid === undefined) throw new Error(`sockets ${words.join(" ")}: ${line}`);
	const close = async () => {
		started.stdin.end();
		await closed;
	};
	return { pid: Number(pid), close, [Symbol.asyncDispose]: close };
}

let last = 20_000;

/** A port that no other case uses. */
export const nextPort = (): number => ++last;
