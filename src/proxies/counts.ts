/** What the loop of a proxy did so far, for status and metrics. Pure. */

import type { ServerDiff } from "./driver.js";
import { EMPTY, type Histogram, withTime } from "./histogram.js";
import type { AppliedLine } from "./report.js";

export interface LoopCounts {
	/** Changes that reached the proxy, by either lane. */
	readonly applied: number;
	readonly reloads: number;
	readonly failed: number;
	/** Backends that the fast lane put in or took out. */
	readonly fastChanges: number;
	/** Reloads that failed, among `failed`. */
	readonly failedReloads: number;
	/** From the kernel's event until the proxy had one that listens, where one event caused a change. */
	readonly listenTimes: Histogram;
	/** Likewise, until the proxy no longer had one that closed or was told to stop. */
	readonly closeTimes: Histogram;
	/** How long changes waited. */
	readonly settleTimes: Histogram;
	readonly lastApplied?: {
		/** Wall clock, in milliseconds. */
		readonly atMs: number;
		readonly stagesMs: Readonly<Record<string, number>>;
	};
}

export const NO_COUNTS: LoopCounts = {
	applied: 0,
	reloads: 0,
	failed: 0,
	fastChanges: 0,
	failedReloads: 0,
	listenTimes: EMPTY,
	closeTimes: EMPTY,
	settleTimes: EMPTY,
};

/** @param isReload whether it was the reload that failed, or the proxy was not well after it */
export function countFailed(counts: LoopCounts, isReload: boolean): LoopCounts {
	return { ...counts, failed: counts.failed + 1, failedReloads: counts.failedReloads + (isReload ? 1 : 0) };
}

/** @param atMs wall clock */
export function countApplied(
	counts: LoopCounts,
	{ joined, left }: ServerDiff,
	{ reload, stagesMs, sinceKernelMs }: Pick<AppliedLine, "reload" | "stagesMs" | "sinceKernelMs">,
	atMs: number,
): LoopCounts {
	const isFast = Object.hasOwn(stagesMs, "runtime") && !reload;
	return {
		applied: counts.applied + 1,
		reloads: counts.reloads + (reload ? 1 : 0),
		failed: counts.failed,
		failedReloads: counts.failedReloads,
		listenTimes: withTime(counts.listenTimes, joined.length > 0 ? sinceKernelMs : undefined),
		closeTimes: withTime(counts.closeTimes, left.length > 0 ? sinceKernelMs : undefined),
		settleTimes: withTime(counts.settleTimes, joined.length + left.length > 0 ? stagesMs["settle"] : undefined),
		fastChanges: counts.fastChanges + (isFast ? joined.length + left.length : 0),
		lastApplied: { atMs, stagesMs },
	};
}
