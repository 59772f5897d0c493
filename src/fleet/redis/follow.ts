/**
 * Follows the stream of changes on a connection of its own, from its end: who begins to follow, or was told of a gap, has
 * to read all hosts. Knows nothing of what the entries mean.
 */

import { setTimeout as pause } from "node:timers/promises";
import { reconnectDelayMs } from "./backoff.js";
import { type Link, openLink, SILENCE_MS } from "./connect.js";
import type { Keys } from "./keys.js";
import { askReach } from "./reach.js";
import type { RedisConfig } from "./trouble.js";

export interface FollowOptions {
	readonly redis: RedisConfig;
	readonly keys: Keys;
	/** Entries come from now on; whatever was before must be read. `isGap`: some were missed while it was connected. */
	onBegin(isGap: boolean): void;
	/** Fields of entries, in the stream's order: name, value, name, value, … */
	onEntries(entries: readonly (readonly string[])[]): void;
	/** Nothing comes, since then or still; `why` is a clause. */
	onTrouble(why: string): void;
	/** Milliseconds of a clock that does not jump. */
	now(): number;
}

/** Entries in one answer: of the longest of them, a few megabytes. */
const COUNT = 64;
/** An answer is due after so long, with or without entries, or else the connection is dead. */
const BLOCK_MS = SILENCE_MS.blocking - 2000;
/**
 * When so little time has passed since it was asked for all that there was, it is asked for what comes next without a look at
 * how far the stream reaches: no stream becomes `STREAM_LENGTH` longer so fast, and among many changes the look would cost as
 * much as they do.
 */
const FRESH_MS = 50;
const HOW = ["COUNT", COUNT, "BLOCK", BLOCK_MS, "STREAMS"] as const;

export function openFollower({ redis, keys, onBegin, onEntries, onTrouble, now }: FollowOptions): { close(): void } {
	const closing = new AbortController();
	/** Of the connection that is followed now; another one ends its loop. */
	let round = 0;

	const follow = async (mine: number) => {
		let position = (await askReach(link, keys)).last;
		if (mine !== round) return;
		onBegin(false);
		const look = async () => {
			const { last, first } = await askReach(link, keys);
			if (mine !== round) return;
			// The stream is another one, and new entries would count as old ones: it is followed from its begin.
			const isAnother = compareIds(last, position) < 0;
			const isGap = isAnother || hasGap(position, first, last);
			if (isAnother) position = "0-0";
			// Nothing comes from before its end any more, and the gap is none at the next look.
			else if (isGap && first === undefined) position = last;
			if (isGap) onBegin(true);
		};
		/** When it was asked last for all that there was. */
		let askedMs = Number.NEGATIVE_INFINITY;
		while (mine === round) {
			if (now() - askedMs >= FRESH_MS) await look();
			if (mine !== round) return;
			askedMs = now();
			const reply = await link.send(["xread", ...HOW, keys.changes, position]);
			if (mine !== round) return;
			const entries = readReply(reply);
			position = entries.at(-1)?.id ?? position;
			if (entries.length === COUNT) askedMs = Number.NEGATIVE_INFINITY;
			if (entries.length > 0) onEntries(entries.map(({ fields }) => fields));
		}
	};
	const run = async (mine: number) => {
		let failures = 0;
		while (mine === round) {
			const failed = await follow(mine).then(
				() => undefined,
				(error: unknown) => ({ error }),
			);
			if (mine !== round || failed === undefined || !link.isUp) return;
			onTrouble(link.why(failed.error));
			failures++;
			await pause(reconnectDelayMs(failures, Math.random()), undefined, { signal: closing.signal }).catch(() => {});
		}
	};
	const link: Link = openLink(redis, {
		purpose: "blocking",
		onUp: () => void run(++round),
		onDown(why) {
			round++;
			onTrouble(why);
		},
	});

	return {
		close() {
			round++;
			closing.abort();
			link.close();
		},
	};
}

/** Whether something after the position is in the stream no more. */
const hasGap = (position: string, first: string | undefined, last: string): boolean =>
	compareIds(last, position) > 0 && (first === undefined || compareIds(first, position) > 0) && position !== "0-0";

interface StreamEntry {
	readonly id: string;
	readonly fields: readonly string[];
}

/** The answer to an XREAD of one stream: `[[key, [[id, [name, value, …]], …]]]`, or nothing. */
function readReply(reply: unknown): StreamEntry[] {
	const stream: unknown = Array.isArray(reply) ? reply[0] : undefined;
	const entries: unknown = Array.isArray(stream) ? stream[1] : undefined;
	if (!Array.isArray(entries)) return [];
	return entries.flatMap((entry: unknown) => {
		if (!Array.isArray(entry)) return [];
		const [id, fields]: readonly unknown[] = entry;
		return typeof id === "string" ? [{ id, fields: Array.isArray(fields) ? fields.map(String) : [] }] : [];
	});
}

/** Below zero when `a` is older than `b`; ids are MILLISECONDS-NUMBER. */
function compareIds(a: string, b: string): number {
	const [aMs = 0, aNumber = 0] = a.split("-").map(Number);
	const [bMs = 0, bNumber = 0] = b.split("-").map(Number);
	return aMs - bMs || aNumber - bNumber;
}
