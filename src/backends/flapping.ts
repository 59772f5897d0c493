/**
 * Backends that come and go: counts their closes, and says how long one is to be held out. By name, so that a new
 * container at the same address counts. Pure: time is an argument; whether somebody else is ready is asked elsewhere.
 */

import type { Config } from "../config/schema.js";
import { type BackendRef, refKey } from "./backend.js";

/** `flap` of the configuration: false where nobody is ever held out. */
export type FlapPolicy = Config["flap"];

export interface Flapping {
	/** Nobody listens there any more: the kernel said so. */
	closed(ref: BackendRef, nowMs: number): void;
	/** Somebody listens there again. */
	listens(ref: BackendRef, nowMs: number): void;
	/** Until when it is held out; undefined when it is not. */
	heldOutUntilMs(ref: BackendRef, nowMs: number): number | undefined;
	/** Goes on counting by another policy. */
	reconfigure(policy: FlapPolicy): void;
	/** How many are remembered. */
	readonly size: number;
}

/** Pauses double up to this, or stay at `hold` where that is longer. */
const MAX_PAUSE_MS = 3_600_000;

/** No more are remembered; beyond that the one that was quiet for longest is forgotten. */
const MAX_REMEMBERED = 65_536;

/** What is remembered of a backend that closed. */
interface Flapper {
	/** When it closed, since it was last held out; no older than the window. */
	closesMs: number[];
	/** When it last closed. */
	closedMs: number;
	/** Since when it listens; undefined while it does not. */
	upMs: number | undefined;
	/** How often in a row it flapped. */
	times: number;
	/** It is to be held out from its next listen on. */
	isDue: boolean;
	untilMs: number;
}

export function createFlapping(initial: FlapPolicy): Flapping {
	let policy = initial;
	/** The one that was quiet for longest first. */
	const flappers = new Map<string, Flapper>();

	const remember = (key: string, flapper: Flapper) => {
		flappers.delete(key);
		flappers.set(key, flapper);
	};

	const forgetQuiet = (nowMs: number) => {
		for (const [key, flapper] of flappers) {
			if (flappers.size <= MAX_REMEMBERED && !isOver(flapper, policy, nowMs)) return;
			flappers.delete(key);
		}
	};

	return {
		closed(ref, nowMs) {
			if (policy === false) return;
			const { max, window } = policy;
			const key = refKey(ref);
			const had = flappers.get(key);
			const flapper: Flapper =
				had === undefined || isOver(had, policy, nowMs)
					? { closesMs: [], closedMs: nowMs, upMs: undefined, times: 0, isDue: false, untilMs: nowMs }
					: had;
			if (quietMs(flapper, nowMs) >= window) flapper.times = 0;
			flapper.closesMs = [...flapper.closesMs.filter((ms) => nowMs - ms < window), nowMs];
			flapper.closedMs = nowMs;
			flapper.upMs = undefined;
			if (flapper.closesMs.length >= max) {
				flapper.closesMs = [];
				flapper.times++;
				flapper.isDue = true;
			}
			remember(key, flapper);
			forgetQuiet(nowMs);
		},
		listens(ref, nowMs) {
			// nearly always, and asked of each that comes
			if (flappers.size === 0) return;
			const key = refKey(ref);
			const flapper = flappers.get(key);
			if (flapper === undefined || policy === false) return;
			if (isOver(flapper, policy, nowMs)) {
				flappers.delete(key);
				return;
			}
			flapper.upMs = nowMs;
			if (flapper.isDue) flapper.untilMs = nowMs + pauseMs(flapper.times, policy);
			flapper.isDue = false;
			remember(key, flapper);
		},
		heldOutUntilMs(ref, nowMs) {
			if (flappers.size === 0) return undefined;
			const untilMs = flappers.get(refKey(ref))?.untilMs;
			return untilMs !== undefined && untilMs > nowMs ? untilMs : undefined;
		},
		reconfigure(next) {
			policy = next;
			if (policy === false) flappers.clear();
		},
		get size() {
			return flappers.size;
		},
	};
}

/** Whether nothing more follows from it: it was up and quiet for the window, or away for as long as its pause would be. */
function isOver(flapper: Flapper, policy: FlapPolicy, nowMs: number): boolean {
	if (policy === false) return true;
	if (flapper.untilMs > nowMs) return false;
	if (flapper.upMs !== undefined) return quietMs(flapper, nowMs) >= policy.window;
	return nowMs - flapper.closedMs >= Math.max(policy.window, pauseMs(flapper.times, policy));
}

/** How long it has been up and let in; who is held out has no work that could bring it down. */
function quietMs({ upMs, untilMs }: Flapper, nowMs: number): number {
	return upMs === undefined ? 0 : nowMs - Math.max(upMs, untilMs);
}

function pauseMs(times: number, { hold }: Exclude<FlapPolicy, false>): number {
	return Math.min(hold * 2 ** Math.max(0, times - 1), Math.max(hold, MAX_PAUSE_MS));
}
