/** One timer for whatever is due next: set anew as that changes. Knows nothing of what is due. */

export interface Alarm {
	/** Rings then, and at no other time; never where it is undefined. In the clock of `now`. */
	set(dueMs: number | undefined): void;
	close(): void;
}

export function createAlarm(now: () => number, ring: () => void): Alarm {
	let timer: NodeJS.Timeout | undefined;
	let setMs: number | undefined;
	return {
		set(dueMs) {
			if (dueMs === setMs) return;
			clearTimeout(timer);
			setMs = dueMs;
			if (dueMs === undefined) return;
			timer = setTimeout(
				() => {
					setMs = undefined;
					ring();
				},
				Math.max(0, dueMs - now()),
			);
		},
		close: () => clearTimeout(timer),
	};
}
