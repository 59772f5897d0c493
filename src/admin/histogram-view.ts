/** A distribution, as Prometheus has it: the shape in the daemon's answers. Types only. */

export interface HistogramView {
	/** Upper bounds, in rising order; one more count than bounds, for all that is above. */
	readonly bounds: readonly number[];
	/** How many fell into each: above the bound before it, up to and with its own. */
	readonly counts: readonly number[];
	readonly sum: number;
}
