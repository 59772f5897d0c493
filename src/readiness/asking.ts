/**
 * Asks listeners over and over, each until it answers or its time is over; not too many at once, and all in turn. Owns
 * the timers of that; how one is asked, and what follows from the answer, is others' concern.
 */

import type { Question } from "../backends/gate.js";
import type { Probe } from "./probe.js";

/** So many questions are under way at once; a few hundred listeners that start together ask no more of the host. */
const MAX_IN_FLIGHT = 64;

/** An answer may take so long, or as long as the pause between two questions where that is longer. */
const MIN_ATTEMPT_MS = 1000;

/** One that is being asked. */
export interface Asked {
	/** How often so far. */
	readonly probes: number;
	/** What came of the last question; undefined before the first. */
	readonly last: string | undefined;
	/** Since when, and until when, in the clock of whoever opened this. */
	readonly sinceMs: number;
	readonly untilMs: number;
	/** Asks no more, and ends what is under way. */
	stop(): void;
}

export interface Asking {
	/**
	 * Asks from now on. `onEnd` is called once, never from within this call, unless it is stopped before: with whether it
	 * answered in time.
	 */
	ask(question: Question, onEnd: (isReady: boolean) => void): Asked;
}

export interface AskingOptions {
	readonly probe: Probe;
	/** Milliseconds of a clock that does not jump. */
	now(): number;
	readonly maxInFlight?: number;
}

export function createAsking({ probe, now, maxInFlight = MAX_IN_FLIGHT }: AskingOptions): Asking {
	/** What is to be asked, in turn. */
	const due = new Set<() => Promise<void>>();
	let inFlight = 0;

	const pump = () => {
		for (const attempt of due) {
			if (inFlight >= maxInFlight) return;
			due.delete(attempt);
			inFlight++;
			void attempt().finally(() => {
				inFlight--;
				pump();
			});
		}
	};

	return {
		ask(question, onEnd) {
			const { timeout, interval } = question.ready;
			const sinceMs = now();
			const ended = new AbortController();
			let probes = 0;
			let last: string | undefined;
			let pause: NodeJS.Timeout | undefined;

			const attempt = async () => {
				probes++;
				const { isReady, said } = await probe(question, Math.max(interval, MIN_ATTEMPT_MS), ended.signal);
				if (ended.signal.aborted) return;
				last = said;
				if (isReady) end(true);
				else pause = setTimeout(enqueue, interval);
			};
			const enqueue = () => {
				due.add(attempt);
				pump();
			};
			const stop = () => {
				clearTimeout(limit);
				clearTimeout(pause);
				due.delete(attempt);
				ended.abort();
			};
			const end = (isReady: boolean) => {
				stop();
				onEnd(isReady);
			};
			const limit = setTimeout(() => end(false), timeout);
			enqueue();
			return {
				get probes() {
					return probes;
				},
				get last() {
					return last;
				},
				sinceMs,
				untilMs: sinceMs + timeout,
				stop,
			};
		},
	};
}
