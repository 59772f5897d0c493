/** What can be shown: a story, and what it needs on the machine. Types only; demo.ts shows any of them. */

import type { Screen } from "./screen.js";

export interface Show {
	/** What will be on the machine while it lasts. */
	readonly introduction: string;
	/**
	 * Makes all that the story needs; what happens there is told on the screen.
	 *
	 * @throws Error when something cannot be made, or `signal` aborts; what was made so far is removed then
	 */
	open(screen: Screen, signal: AbortSignal): Promise<OpenShow>;
}

export interface OpenShow {
	/** What was made, for people. */
	readonly made: readonly string[];
	/** Aborts when a part of it ends by itself. */
	readonly failed: AbortSignal;
	/**
	 * Plays the story once.
	 *
	 * @throws Error at the first step that does not come true in time, or the reason of the signal
	 */
	play(options: PlayOptions): Promise<Told>;
	/** Removes everything. Once it began, further calls wait for the same. */
	close(): Promise<void>;
	/** What is still there of it: nothing, after `close`. */
	leftovers(): Promise<string[]>;
}

export interface PlayOptions {
	readonly screen: Screen;
	/** Between two steps, for those who read along. */
	readonly pauseMs: number;
	readonly signal: AbortSignal;
}

/** What was seen, and what people can try themselves now. */
export interface Told {
	readonly summary: string;
	readonly hints: string;
}
