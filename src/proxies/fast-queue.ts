/** What waits for the fast lane: changes that come while it is busy go together in its next run. */

import type { Backend, BackendRef } from "../backends/backend.js";
import { messageOf } from "../errors.js";
import type { FastLane, FastOutcome } from "./driver.js";

/** Runs one piece of work at a time, in the order of the calls; at once where nobody else is at it. */
export type Turns = <T>(work: () => Promise<T>) => Promise<T>;

export function createTurns(): Turns {
	let last: Promise<void> | undefined;
	return (work) => {
		const before = last;
		let settle = () => {};
		const settled = new Promise<void>((resolve) => {
			settle = resolve;
		});
		// Before the work begins: who asks for a turn from within it has to wait for its end.
		last = settled;
		const mine = before === undefined ? work() : before.then(work);
		const end = () => {
			if (last === settled) last = undefined;
			settle();
		};
		mine.then(end, end);
		return mine;
	};
}

export interface FastQueueOptions {
	readonly fast: FastLane;
	readonly backend: (ref: BackendRef) => Backend | undefined;
	readonly inTurn: Turns;
	/** Called as a run takes what waits; its result comes with the outcome. */
	onBegin(): OnOutcome;
	readonly signal: AbortSignal;
}

export type OnOutcome = (outcome: FastOutcome) => void;

export interface FastQueue {
	add(refs: readonly BackendRef[]): void;
	/** Resolves when nothing runs any more. */
	readonly idle: Promise<void>;
}

export function createFastQueue({ fast, backend, inTurn, onBegin, signal }: FastQueueOptions): FastQueue {
	let waiting = new Map<string, BackendRef>();
	let idle: Promise<void> = Promise.resolve();
	let isRunning = false;

	const run = async () => {
		isRunning = true;
		try {
			while (waiting.size > 0 && !signal.aborted) {
				await inTurn(async () => {
					const refs = [...waiting.values()];
					waiting = new Map();
					const onOutcome = onBegin();
					onOutcome(await fast.apply(refs, backend, signal).catch(asBehind));
				});
			}
		} catch (error) {
			if (!signal.aborted) throw error;
		} finally {
			isRunning = false;
		}
	};

	/** A mistake of ours must not end the daemon: a plan makes it good. */
	const asBehind = (error: unknown): FastOutcome => {
		if (signal.aborted) throw error;
		return { kind: "behind", why: messageOf(error), joined: [], left: [] };
	};

	return {
		add(refs) {
			for (const ref of refs) waiting.set(`${ref.service}/${ref.id}`, ref);
			if (!isRunning) idle = run();
		},
		get idle() {
			return idle;
		},
	};
}
