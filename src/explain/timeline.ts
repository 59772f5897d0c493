/** What became of backends lately, from the history of the endpoints that lead to them. Worked out when it is asked for. */

import type { TimelineEntry, TimelineView } from "../admin/view.js";
import type { History } from "./history.js";

/** How far back, in milliseconds. */
export const TIMELINE_MS = 15 * 60_000;
/** The newest ones; a page of them is enough for a person. */
const MAX_ENTRIES = 5000;

/**
 * @param nowMs of the pipeline's clock
 * @param recordedSinceMs when changes began to be recorded
 * @param toIso a time of the pipeline's clock as a date
 */
export function timelineOf(
	history: Pick<History, "since">,
	nowMs: number,
	recordedSinceMs: number,
	toIso: (ms: number) => string,
): TimelineView {
	const sinceMs = Math.max(recordedSinceMs, nowMs - TIMELINE_MS);
	/** Several endpoints may lead to one backend, and each remembers it. */
	const entries = new Map<string, TimelineEntry>();
	for (const change of history
		.since(sinceMs)
		.toSorted((a, b) => a.atMs - b.atMs)
		.reverse()) {
		if (entries.size === MAX_ENTRIES) break;
		if (change.kind !== "backend") continue;
		const { service, id, state, held, reason } = change;
		const at = toIso(change.atMs);
		const key = `${service}/${id} ${at} ${state}`;
		if (!entries.has(key)) entries.set(key, { at, service, backend: id, state, held, reason });
	}
	return { since: toIso(sinceMs), entries: [...entries.values()].reverse() };
}
