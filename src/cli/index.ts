#!/usr/bin/env -S MALLOC_ARENA_MAX=1 node --max-semi-space-size=1 --v8-pool-size=1 --optimize-for-size --no-flush-bytecode
/**
 * The entry: signals, exit codes, and a short way to the daemon that does not load what only other commands need. The
 * options in the first line keep the idle daemon small: one malloc arena, a small young generation, one V8 helper thread;
 * and ready: an event after a quiet hour finds its code compiled.
 */

import { parseArgs } from "node:util";
import { type ErrorCode, SolistendError } from "../errors.js";
import { DEFAULT_CONFIG } from "./config.js";
import { printNotice } from "./output.js";

/** 0 fine, 1 a problem found, 2 wrong usage, 3 no daemon or a privilege is missing. */
const EXIT_CODES: Record<ErrorCode, number> = {
	config: 1,
	unsupported: 1,
	proxy: 1,
	sensor: 1,
	stuck: 1,
	privilege: 3,
	daemon: 3,
};

/** Aborted by SIGINT or SIGTERM. */
const interrupted = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => interrupted.abort());
// A reader that has seen enough (`solistend watch | head`) is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
	if (error.code !== "EPIPE") throw error;
	interrupted.abort();
});

const words = process.argv.slice(2);
try {
	const daemon = daemonOptions(words);
	if (daemon === undefined) {
		const { runCommandLine } = await import("./commands.js");
		await runCommandLine(words, interrupted.signal);
	} else {
		const { run } = await import("./run.js");
		process.exitCode = await run(daemon, interrupted.signal);
	}
} catch (error) {
	report(error);
	// Node would wait for the thread; whoever supervises us takes the signal for a failure, and starts us again
	if (error instanceof SolistendError && error.code === "stuck") process.kill(process.pid, "SIGKILL");
	// whatever else is still open must not keep a failed process alive
	process.exit();
}

/** The options of a plain `run [--config FILE]`; undefined for all else, which yargs reads: it takes 10 MB of memory. */
function daemonOptions([command, ...args]: readonly string[]): { config: string } | undefined {
	if (command !== "run") return undefined;
	try {
		const { values } = parseArgs({
			args,
			options: { config: { type: "string", short: "c", default: DEFAULT_CONFIG } },
		});
		return { config: values.config };
	} catch {
		return undefined;
	}
}

/** A known trouble is a message; anything else is a bug, and shows its stack. */
function report(error: unknown): void {
	if (error instanceof SolistendError) {
		printNotice(error.code === "config" ? error.message : `solistend: ${error.message}`);
		process.exitCode = EXIT_CODES[error.code];
		return;
	}
	printNotice(error instanceof Error ? (error.stack ?? error.message) : String(error));
	process.exitCode = 1;
}
