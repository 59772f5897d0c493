/**
 * When the kernel's table may be read: four times a second on average, however much is lost, and soon where it counts. A
 * bucket of reads, of which two are kept for the moment at which a loss is over: one that finds what is missing, and one
 * that confirms it. Pure: time is an argument, in milliseconds of one clock; knows nothing of what is read.
 */

/** Reads that may be done at once after quiet. */
const CAPACITY = 4;

/**
 * How long one takes to come back: so many times as long as the last one took, so that most of the time is left to others,
 * and within these bounds. One that a stalled host made long must not put off the next one for as long again.
 */
const REFILL = { times: 5, leastMs: 250, mostMs: 2000 } as const;

/** What is left for the end, while events are being lost: a read in the midst of it is outdated when it ends. */
const RESERVE = 2;

/** Losses that did not grow for so long are over. */
const CALM_MS = 50;

/** After a read, also after a long one: events are taken in meanwhile, and whoever waits for a second word has it soon. */
const REST_MS = 20;

export interface ReadPace {
	/** Losses have grown. */
	lost(nowMs: number): void;
	/** Whether they still grow, as far as is known. */
	isLosing(nowMs: number): boolean;
	/** How long a read that is wanted has to wait; 0 when it is due. What is lost meanwhile may make that longer. */
	waitMs(nowMs: number): number;
	/** A read was done. */
	took(beganMs: number, endedMs: number): void;
}

export function createReadPace(): ReadPace {
	let tokens = CAPACITY;
	let refillMs: number = REFILL.leastMs;
	let countedMs = Number.NEGATIVE_INFINITY;
	let calmMs = Number.NEGATIVE_INFINITY;
	let restedMs = Number.NEGATIVE_INFINITY;

	const refill = (nowMs: number) => {
		tokens = Math.min(CAPACITY, tokens + (nowMs - countedMs) / refillMs);
		countedMs = nowMs;
	};
	const msUntil = (count: number) => Math.max(0, (count - tokens) * refillMs);

	return {
		lost(nowMs) {
			calmMs = nowMs + CALM_MS;
		},
		isLosing: (nowMs) => nowMs < calmMs,
		waitMs(nowMs) {
			refill(nowMs);
			const whenCalm = Math.max(calmMs - nowMs, msUntil(1));
			return Math.max(0, restedMs - nowMs, Math.min(whenCalm, msUntil(1 + RESERVE)));
		},
		took(beganMs, endedMs) {
			refill(endedMs);
			tokens -= 1;
			refillMs = Math.min(Math.max(REFILL.leastMs, REFILL.times * (endedMs - beganMs)), REFILL.mostMs);
			restedMs = endedMs + REST_MS;
		},
	};
}
