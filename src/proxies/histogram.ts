/** A distribution of times that is kept while it grows: a few counts, whatever comes. */

/** Upper bounds in seconds: from the fast lane's millisecond to a reload that had to wait. */
export const BOUNDS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const;

export interface Histogram {
	/** Upper bounds, in rising order; one more count than bounds, for all that is above. */
	readonly bounds: readonly number[];
	/** How many fell into each: above the bound before it, up to and with its own. */
	readonly counts: readonly number[];
	/** Seconds. */
	readonly sum: number;
}

/** Nothing yet. */
export const EMPTY: Histogram = { bounds: BOUNDS_S, counts: [...BOUNDS_S, 0].map(() => 0), sum: 0 };

/** With one time more; as it was where there is none. */
export function withTime(histogram: Histogram, ms: number | undefined): Histogram {
	if (ms === undefined) return histogram;
	const { bounds, counts, sum } = histogram;
	const above = bounds.findIndex((bound) => ms / 1000 <= bound);
	const place = above === -1 ? bounds.length : above;
	return { bounds, counts: counts.map((count, i) => (i === place ? count + 1 : count)), sum: sum + ms / 1000 };
}
