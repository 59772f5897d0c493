/**
 * What keeps the process of one socket from running, by what events and reads said of it: the newest kernel time wins,
 * for the freezer and for signals apart, since one may end while the other lasts. Pure.
 */

import type { Listener, PausedBy, PauseEvent } from "./event.js";

/** All processes of an endpoint are kept from running. */
export interface Paused {
	readonly by: PausedBy;
	/** Boot-time nanoseconds of the event, or of the read that found it. */
	readonly sinceNs: number;
}

/** The last that was said of each. */
export type Pauses = Readonly<Partial<Record<PausedBy, Said>>>;

interface Said {
	readonly isPaused: boolean;
	/** Boot-time nanoseconds since which it is so. */
	readonly atNs: number;
}

const ALL = ["freezer", "signal"] as const satisfies readonly PausedBy[];

/** Whether an event is about the process that opened a socket, after it listened. */
export function isAbout({ whom, atNs }: PauseEvent, listener: Listener): boolean {
	if (listener.atNs > atNs) return false;
	return whom.by === "signal" ? whom.pid === listener.pid : whom.cgroupId === listener.cgroupId;
}

/** What is known after an event; the same value where a newer one said something already. */
export function afterEvent(pauses: Pauses | undefined, { kind, whom, atNs }: PauseEvent): Pauses | undefined {
	const known = pauses?.[whom.by];
	const isPaused = kind === "paused";
	if (known !== undefined && (atNs <= known.atNs || known.isPaused === isPaused)) return pauses;
	return { ...pauses, [whom.by]: { isPaused, atNs } };
}

/**
 * What is known after a read. It names one of both at most: of the other one it says nothing, then.
 *
 * @param found what the read found of the socket's process
 * @returns the same value where the read says nothing new
 */
export function afterRead(
	pauses: Pauses | undefined,
	found: PausedBy | undefined,
	beganNs: number,
): Pauses | undefined {
	let after = pauses;
	for (const by of ALL) {
		const known = after?.[by];
		const isPaused = found === by;
		if ((known?.isPaused ?? false) === isPaused || (known?.atNs ?? 0) >= beganNs) continue;
		if (isPaused || found === undefined) after = { ...after, [by]: { isPaused, atNs: beganNs } };
	}
	return after;
}

/** What was said since a time: whoever listens anew is running. */
export function pausesSince(atNs: number, pauses: Pauses | undefined): Pauses | undefined {
	const kept = ALL.flatMap((by) => {
		const said = pauses?.[by];
		return said !== undefined && said.atNs >= atNs ? [[by, said] as const] : [];
	});
	return kept.length > 0 ? Object.fromEntries(kept) : undefined;
}

/** What keeps it from running since the longest time. */
export function pausedOf(pauses: Pauses | undefined): Paused | undefined {
	let first: Paused | undefined;
	for (const by of ALL) {
		const said = pauses?.[by];
		if (said?.isPaused && said.atNs < (first?.sinceNs ?? Number.POSITIVE_INFINITY)) first = { by, sinceNs: said.atNs };
	}
	return first;
}

/** Of several sockets: paused when all of them are, since the last of them is. */
export function pausedAll(all: readonly (Pauses | undefined)[]): Paused | undefined {
	let last: Paused | undefined;
	for (const pauses of all) {
		const paused = pausedOf(pauses);
		if (paused === undefined) return undefined;
		if (last === undefined || paused.sinceNs > last.sinceNs) last = paused;
	}
	return last;
}
