/**
 * Work that may wait until nothing else is to be done: a line of the log takes as long as the change that it tells of, and
 * among many changes the last one would wait for the lines of all others. Knows nothing of what the work is.
 */

/** Work begins once nothing was added for so long. */
const QUIET_MS = 50;
/** And at the latest so long after the first was added: whoever watches the log wants to see it. */
const MAX_MS = 250;
/** Work in one piece, before others have their turn. */
const SLICE_MS = 5;

export interface Afterwards {
	/** Files work; it is done in this order. */
	add(work: () => void): void;
	/** Whether nothing waits. */
	readonly isEmpty: boolean;
	/** Does all of it now. */
	flush(): void;
	/** Does all of it now, and from now on at once. */
	close(): void;
}

export function createAfterwards(): Afterwards {
	const waiting: (() => void)[] = [];
	let timer: NodeJS.Timeout | undefined;
	let sinceMs = 0;
	let closed = false;

	const work = (untilMs: number) => {
		while (performance.now() <= untilMs) {
			const one = waiting.shift();
			if (one === undefined) return;
			one();
		}
	};
	const arm = (delayMs: number) => {
		clearTimeout(timer);
		timer = setTimeout(() => {
			work(performance.now() + SLICE_MS);
			if (waiting.length > 0) arm(0);
		}, delayMs);
	};
	const flush = () => {
		clearTimeout(timer);
		work(Number.POSITIVE_INFINITY);
	};

	return {
		add(one) {
			waiting.push(one);
			if (closed) return flush();
			const nowMs = performance.now();
			if (waiting.length === 1) sinceMs = nowMs;
			arm(Math.min(QUIET_MS, Math.max(0, sinceMs + MAX_MS - nowMs)));
		},
		get isEmpty() {
			return waiting.length === 0;
		},
		flush,
		close() {
			closed = true;
			flush();
		},
	};
}
