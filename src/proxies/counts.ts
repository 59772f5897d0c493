/** What the loop of a proxy did so far, for status and metrics. Pure. */

import type { ServerDiff } from "./driver.js";
import type { AppliedLine } from "./report.js";

export interface LoopCounts {
	/** Changes that reached the proxy, by either lane. */
	readonly applied: number;
	readonly reloads: number;
	readonly failed: number;
	/** Backends that the fast lane put in or took out. */
	readonly fastChanges: number;
	readonly lastApplied?: {
		/** Wall clock, in milliseconds. */
		readonly atMs: number;
		readonly stagesMs: Readonly<Record<string, number>>;
	};
}

export const NO_COUNTS: LoopCounts = { applied: 0, reloads: 0, failed: 0, fastChanges: 0 };

export function countFailed(counts: LoopCounts): LoopCounts {
	return { ...counts, failed: counts.failed + 1 };
}

/** @param atMs wall clock */
export function countApplied(
	counts: LoopCounts,
	{ joined, left }: ServerDiff,
	{ reload, stagesMs }: Pick<AppliedLine, "reload" | "stagesMs">,
	atMs: number,
): LoopCounts {
	const isFast = Object.hasOwn(stagesMs, "runtime") && !reload;
	return {
		applied: counts.applied + 1,
		reloads: counts.reloads + (reload ? 1 : 0),
		failed: counts.failed,
		fastChanges: counts.fastChanges + (isFast ? joined.length + left.length : 0),
		lastApplied: { atMs, stagesMs },
	};
}
