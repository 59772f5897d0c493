/** The daemon's log: JSON lines on stderr, as journald and people's tools take them. */

import { destination, type Logger, pino, symbols } from "pino";
import { type Afterwards, createAfterwards } from "./afterwards.js";
import type { Config } from "./config/schema.js";
import { isJournal, priorityPrefix } from "./systemd/journal.js";

export interface Log {
	readonly log: Logger;
	/** What is logged by work that waits here carries the time at which it was filed; and the log keeps its order. */
	readonly afterwards: Omit<Afterwards, "isEmpty">;
}

/** A log that is written at once, or after what waits: once `afterwards` is flushed, all of it is there. */
export function openLog({ level }: Config["log"]): Log {
	const stderr = destination({ fd: 2, sync: true });
	// The journal takes the prefix for itself: what it keeps is the same JSON.
	const hasPriorities = isJournal(2);
	const queue = createAfterwards();
	/** The time that lines carry instead of the present one. */
	let filedMs: number | undefined;
	const stream = {
		// pino sets `lastLevel` before each write, then
		[symbols.needsMetadataGsym]: true,
		lastLevel: 0,
		write(json: string) {
			const line = hasPriorities ? priorityPrefix(stream.lastLevel) + json : json;
			if (filedMs !== undefined || queue.isEmpty) stderr.write(line);
			else queue.add(() => stderr.write(line));
		},
	};
	const log = pino(
		{
			level,
			base: null,
			timestamp: () => `,"time":"${new Date(filedMs ?? Date.now()).toISOString()}"`,
			formatters: { level: (label) => ({ level: label }) },
		},
		stream,
	);
	const add = (work: () => void) => {
		const nowMs = Date.now();
		queue.add(() => {
			filedMs = nowMs;
			try {
				work();
			} finally {
				filedMs = undefined;
			}
		});
	};
	return { log, afterwards: { add, flush: queue.flush, close: queue.close } };
}
