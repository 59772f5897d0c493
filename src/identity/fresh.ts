/**
 * How long what was read of the system is taken for true: a burst of listeners is answered from one look at each thing.
 * Pure: time comes from the clock that it is given.
 */

const FRESH_MS = 50;

/** When something was looked at. */
export interface Moment {
	readonly atMs: number;
	readonly era: number;
}

export interface Freshness {
	/** That of a look now. */
	moment(): Moment;
	/** Whether what was seen at that moment still tells. */
	isFresh(moment: Moment | undefined): boolean;
	/** What was seen until now tells no more, however new it is. */
	expire(): void;
}

/** @param now milliseconds of a clock that does not jump */
export function createFresh(now: () => number): Freshness {
	/** How often all was let expire. */
	let era = 0;
	return {
		moment: () => ({ atMs: now(), era }),
		isFresh: (moment) => moment !== undefined && moment.era === era && now() - moment.atMs < FRESH_MS,
		expire() {
			era += 1;
		},
	};
}
