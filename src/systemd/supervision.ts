/**
 * Keeps the manager told: one tick, which says that work goes on only where it does, and what there is to say in one line.
 * Knows the daemon only by what it is given.
 */

import type { Manager } from "./notify.js";

/** Between two ticks, at most; the line that people see is as old as that. */
const TICK_MS = 5000;

/** Between two ticks, at least: idle must cost nothing. */
const MIN_TICK_MS = 1000;

export interface SupervisionOptions {
	readonly manager: Manager;
	/**
	 * Grows while the sensor's worker answers; it is this thread that asks, so that one number stands for both. A worker
	 * that died has until the watchdog's time is over to be replaced.
	 */
	progress(): number;
	/** What there is to say, in one line. */
	line(): string;
}

export interface Supervision {
	/** Work begins. */
	ready(): void;
	/** A new configuration is being read; nothing is told before `ready`: what has not begun does not begin anew. */
	reloading(): void;
	/** The end of that. */
	reloaded(): void;
	/** The last word. */
	close(): void;
}

export function openSupervision({ manager, progress, line }: SupervisionOptions): Supervision {
	let isReady = false;
	let isClosed = false;
	let seen = progress();

	const tick = () => {
		const now = progress();
		if (now !== seen) manager.alive();
		seen = now;
		if (isReady) manager.status(line());
	};
	const half = (manager.watchdogMs ?? 2 * TICK_MS) / 2;
	const ticking = setInterval(tick, Math.max(MIN_TICK_MS, Math.min(TICK_MS, half)));

	const begin = () => {
		manager.status(line());
		manager.ready();
	};

	return {
		ready() {
			if (isClosed) return;
			isReady = true;
			begin();
		},
		reloading() {
			if (isReady) manager.reloading();
		},
		reloaded() {
			if (isReady && !isClosed) begin();
		},
		close() {
			isClosed = true;
			clearInterval(ticking);
			manager.stopping();
			manager.status("stopping, the proxies go on serving what they have");
		},
	};
}
