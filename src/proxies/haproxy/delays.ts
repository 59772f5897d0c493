/** How much later than the kernel HAProxy's own checks were, summed up. */

import type { Delays } from "../driver.js";

/** So many of the newest delays count for a median. */
const KEPT_DELAYS = 1000;

/** No delays so far; in milliseconds. */
export function createDelays() {
	const newest: number[] = [];
	let count = 0;
	let maxMs = 0;
	return {
		add(ms: number) {
			count += 1;
			maxMs = Math.max(maxMs, ms);
			newest.push(ms);
			if (newest.length > KEPT_DELAYS) newest.shift();
		},
		summary(): Delays {
			const sorted = newest.toSorted((a, b) => a - b);
			const medianMs = sorted[Math.floor((sorted.length - 1) / 2)];
			return medianMs === undefined ? { count } : { count, medianMs: Math.round(medianMs), maxMs: Math.round(maxMs) };
		},
	};
}
