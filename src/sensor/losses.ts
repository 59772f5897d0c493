/** The ways to lose an event, counted by reason, and what is said of each. Pure; knows nothing of how they are noticed. */

import type { KernelLosses } from "./record.js";

/**
 * Everything that was lost, or may have been, since the start. Each of them leads to a read of the kernel's table; none is
 * ever taken back.
 */
export interface Losses extends KernelLosses {
	/** Changes that the kernel passed over: on that CPU it was in the midst of telling another one. */
	readonly missed: number;
	/** Records of another version, or damaged. */
	readonly undecodable: number;
	/** How often the worker left records in the ring buffer, since the main thread took in too few. */
	readonly workerBehind: number;
	/** Worker threads that died or hung. */
	readonly workerDeaths: number;
	/** How often the main thread did nothing for a second or longer. */
	readonly mainStalls: number;
}

export type LossReason = keyof Losses;

export const NO_LOSSES: Losses = {
	ringFull: 0,
	tableFull: 0,
	limited: 0,
	missed: 0,
	undecodable: 0,
	workerBehind: 0,
	workerDeaths: 0,
	mainStalls: 0,
};

const WORDS: Readonly<Record<LossReason, (count: number) => string>> = {
	ringFull: (count) => `${count} events lost, the ring buffer was full (reading the kernel's table)`,
	tableFull: (count) => `${count} listeners found no room in the kernel's table (removal waits for close events)`,
	limited: (count) =>
		`${count} events of a network namespace that has too many of them were passed over (reading the kernel's table)`,
	missed: (count) =>
		`${count} events were passed over by the kernel, since another one was being told (looking for listeners once more)`,
	undecodable: (count) => `${count} records could not be decoded (is the BPF object of another version?)`,
	workerBehind: (count) =>
		`events came faster than they were taken in, ${count} times (reading the kernel's table in case some are lost)`,
	workerDeaths: (count) => `the watcher thread died ${count} times (starting another one)`,
	mainStalls: (count) =>
		`the main thread stood still for a second or longer, ${count} times (is the host overloaded? reading the kernel's table)`,
};

export const LOSS_REASONS = Object.keys(NO_LOSSES).filter((key): key is LossReason => key in WORDS);

/** What was lost between two looks, by reason. */
export function lostSince(before: Losses, now: Losses): { readonly reason: LossReason; readonly count: number }[] {
	return LOSS_REASONS.map((reason) => ({ reason, count: now[reason] - before[reason] })).filter(
		({ count }) => count > 0,
	);
}

/** A line of the log. */
export const lossText = (reason: LossReason, count: number): string => WORDS[reason](count);
