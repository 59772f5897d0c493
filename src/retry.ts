/** Looks again at what is not known yet, with pauses that grow for as long as there is something. */

/** Doubled from the first to the last, which then stays. */
const PAUSE_MS = { first: 20, last: 10_000 } as const;

export interface Retry {
	/** Something is not known from now on. Never later than what was due before: whoever flaps must not keep others waiting. */
	soon(): void;
	close(): void;
}

/**
 * @param now milliseconds of a clock that does not jump
 * @param look looks at all of it; whether there was anything to look at
 */
export function createRetry(now: () => number, look: () => boolean): Retry {
	let timer: NodeJS.Timeout | undefined;
	let pauseMs: number = PAUSE_MS.first;
	let dueMs = Number.POSITIVE_INFINITY;
	let closed = false;

	const lookIn = (ms: number) => {
		if (closed || now() + ms >= dueMs) return;
		clearTimeout(timer);
		pauseMs = ms;
		dueMs = now() + ms;
		timer = setTimeout(() => {
			dueMs = Number.POSITIVE_INFINITY;
			if (look()) lookIn(Math.min(pauseMs * 2, PAUSE_MS.last));
		}, ms);
	};

	return {
		soon: () => lookIn(PAUSE_MS.first),
		close() {
			closed = true;
			clearTimeout(timer);
		},
	};
}
