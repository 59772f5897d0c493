/**
 * Looks at the leases on a connection, about once a second and never two at a time, for as long as it is open. Knows nothing
 * of what they find.
 */

import { messageOf } from "../../errors.js";
import { type Link, openLink } from "./connect.js";
import type { Keys } from "./keys.js";
import { askBeat, type BeatAnswer, type BeatQuestion } from "./looks.js";
import type { RedisConfig } from "./trouble.js";

export interface BeatsOptions {
	readonly redis: RedisConfig;
	readonly keys: Keys;
	/** From the end of one look to the begin of the next, in milliseconds. */
	readonly everyMs: number;
	/** Milliseconds of a clock that does not jump. */
	now(): number;
	/** What the next look asks for. */
	question(): BeatQuestion;
	/** Redis answered, and took the write. Times in the clock of `now`. */
	onBeat(answer: BeatAnswer, askedMs: number, answeredMs: number): void;
	/** It did not; or the connection is lost. `why` is a clause with its mend. */
	onTrouble(why: string): void;
	/** After each look, whatever came of it. */
	onTick(): void;
}

export interface Beats {
	/** For whatever else is to be asked. */
	readonly link: Link;
	/** The next look is due at once. */
	hasten(): void;
	close(): void;
}

export function openBeats(options: BeatsOptions): Beats {
	const { redis, keys, everyMs, now, onTrouble } = options;
	let closed = false;
	let timer: NodeJS.Timeout | undefined;
	let isBeating = false;
	let isHasty = false;

	const look = async () => {
		const askedMs = now();
		const answer = await askBeat(link, keys, options.question());
		if (!closed) options.onBeat(answer, askedMs, now());
	};
	const tick = async () => {
		isBeating = true;
		isHasty = false;
		await look().catch((error: unknown) => {
			if (closed) return;
			const why = link.why(error);
			onTrouble(why);
			if (messageOf(error).includes("READONLY")) link.reset(why);
		});
		isBeating = false;
		if (closed) return;
		options.onTick();
		timer = setTimeout(tick, isHasty ? 0 : everyMs);
	};
	const hasten = () => {
		isHasty = true;
		if (isBeating || closed) return;
		clearTimeout(timer);
		timer = setTimeout(tick, 0);
	};
	const link = openLink(redis, { purpose: "commands", onUp: hasten, onDown: onTrouble });
	timer = setTimeout(tick, everyMs);

	return {
		link,
		hasten,
		close() {
			closed = true;
			clearTimeout(timer);
			link.close();
		},
	};
}
