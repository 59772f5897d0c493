/**
 * Looks at the accept queues that are full, once a second, and tells which listeners are hung. Has a timer only while it
 * is needed. Knows nothing of what comes of it.
 */

import type { Logger } from "pino";
import { createAlarm } from "./alarm.js";
import type { Config } from "./config/schema.js";
import { messageOf } from "./errors.js";
import type { FullQueue } from "./listeners/event.js";
import { createHungWatch, type Hung, type HungWatch } from "./listeners/hung.js";
import type { SocketId } from "./listeners/ids.js";

/** Between two looks; the one that decides about a listener comes when its time is over, and no later. */
const LOOK_MS = 1000;

export interface QueueWatch {
	/** Whether somebody is there to be looked at. Nobody is hung where nobody looks. */
	need(isNeeded: boolean): void;
	reconfigure(hung: Config["hung"]): void;
	close(): void;
}

export interface QueueWatchOptions {
	readonly hung: Config["hung"];
	/** All accept queues that are full now; throws where that can't be known. */
	readFullQueues(): readonly FullQueue[];
	/** Those that are hung, after a look; called in a step of its own. */
	onHung(hung: ReadonlyMap<SocketId, Hung>): void;
	readonly log: Logger;
	now(): number;
}

const NOBODY: ReadonlyMap<SocketId, Hung> = new Map();

export function createQueueWatch({ hung, readFullQueues, onHung, log, now }: QueueWatchOptions): QueueWatch {
	let rule = hung;
	let isNeeded = false;
	let hasFailed = false;
	/** While it looks. */
	let watch: HungWatch | undefined;

	const read = (): readonly FullQueue[] | undefined => {
		try {
			const full = readFullQueues();
			hasFailed = false;
			return full;
		} catch (error) {
			if (!hasFailed) log.warn({ reason: messageOf(error) }, "accept queues can't be read: who is hung stays as it is");
			hasFailed = true;
			return undefined;
		}
	};

	const alarm = createAlarm(now, () => {
		const beganMs = now();
		const full = read();
		const nowMs = now();
		const found = full && watch?.look(full, beganMs, nowMs);
		// a look that failed leaves the time of a decision in the past
		const dueMs = found === undefined ? undefined : watch?.dueMs;
		alarm.set(Math.min(nowMs + LOOK_MS, dueMs ?? Number.POSITIVE_INFINITY));
		if (found !== undefined) onHung(found);
	});

	const end = () => {
		if (watch === undefined) return;
		watch = undefined;
		alarm.set(undefined);
		onHung(NOBODY);
	};

	const begin = () => {
		if (watch !== undefined || rule === false || !isNeeded) return;
		watch = createHungWatch(rule.after);
		alarm.set(now() + LOOK_MS);
	};

	return {
		need(next) {
			isNeeded = next;
			if (isNeeded) begin();
			else end();
		},
		reconfigure(next) {
			const isSame = rule === false || next === false ? rule === next : rule.after === next.after;
			rule = next;
			if (isSame) return;
			end();
			begin();
		},
		close: () => alarm.close(),
	};
}
