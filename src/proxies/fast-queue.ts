/** What waits for the fast lane: changes that come while it is busy go together in its next run. */

import type { Backend, BackendRef } from "../backends/backend.js";
import type { FastLane, FastOutcome } from "./driver.js";

export interface FastQueueOptions {
	readonly fast: FastLane;
	readonly backend: (ref: BackendRef) => Backend | undefined;
	/** Runs one thing at a time. */
	inTurn<T>(work: () => Promise<T>): Promise<T>;
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
					onOutcome(await fast.apply(refs, backend, signal));
				});
			}
		} catch (error) {
			if (!signal.aborted) throw error;
		} finally {
			isRunning = false;
		}
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
