#!/usr/bin/env -S MALLOC_ARENA_MAX=1 node --max-semi-space-size=1 --v8-pool-size=1 --optimize-for-size --initial-heap-size=64 --no-flush-bytecode
/**
 * The entry: signals, exit codes, and a short way to the daemon that does not load what only other commands need. The
 * options in the first line keep the idle daemon small: one malloc arena, a small young generation, one V8 helper thread;
 * and ready: an event after a quiet hour finds its code compiled. A start, of which nearly all that is made stays, looks for
 * garbage among what is old from 64 MB on only; once it is idle that is looked for all the same.
 */

import { parseArgs } from "node:util";
import { DEFAULT_CONFIG } from "./config.js";
import { failWith } from "./fail.js";
import { requireNode } from "./require-node.js";

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
	requireNode(process.versions.node, process.execPath);
	const daemon = daemonOptions(words);
	if (daemon === undefined) {
		const { runCommandLine } = await import("./commands.js");
		await runCommandLine(words, interrupted.signal);
	} else {
		const { run } = await import("./run.js");
		process.exitCode = await run(daemon, interrupted.signal);
	}
} catch (error) {
	failWith(error);
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
