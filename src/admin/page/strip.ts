/** The time line of a backend: which states it had when, and the drawing of it. Pure. */

import type { BackendView, TimelineEntry } from "../view.js";
import { type Html, html } from "./html.js";

export type ShownState = TimelineEntry["state"];

/** The span of time that all time lines of a page show. */
export interface Window {
	readonly fromMs: number;
	readonly toMs: number;
	/** Since when changes are remembered, where that is later. */
	readonly recordedMs: number;
}

export interface Segment {
	readonly state: ShownState;
	readonly fromMs: number;
	readonly toMs: number;
}

/**
 * @param entries of this backend, the oldest first
 * @param now as the status has it; undefined: it is gone
 */
export function segmentsOf(
	entries: readonly Pick<TimelineEntry, "at" | "state">[],
	now: Pick<BackendView, "state" | "since"> | undefined,
	{ fromMs, toMs, recordedMs }: Window,
): Segment[] {
	const marks = entries.map(({ at, state }) => ({ state, atMs: Date.parse(at) }));
	const [first] = marks;
	const last = marks.at(-1);
	// one of another host has no history here, but since when it is as it is
	if (now !== undefined && last?.state !== now.state) marks.push({ state: now.state, atMs: Date.parse(now.since) });
	// of what was there at the start, only what became of it is remembered: it was ready, then
	if (first !== undefined && first.state !== "ready" && first.atMs > recordedMs) {
		marks.unshift({ state: "ready", atMs: recordedMs });
	}
	return marks.flatMap(({ state, atMs }, i) => {
		const beginMs = Math.max(fromMs, atMs);
		const endMs = Math.min(toMs, marks[i + 1]?.atMs ?? toMs);
		return endMs > beginMs && state !== "gone" ? [{ state, fromMs: beginMs, toMs: endMs }] : [];
	});
}

/** A state that lasted for a moment only is to be seen, too; in seconds. */
const LEAST_WIDTH = 3;

/** Drawn to any width; a row of states in words for who can't see it. */
export function stripOf(segments: readonly Segment[], { fromMs, toMs }: Window): Html {
	const width = Math.round((toMs - fromMs) / 1000);
	const parts = segments.map(({ state, ...part }) => {
		const x = Math.round((part.fromMs - fromMs) / 1000);
		const length = Math.max(LEAST_WIDTH, Math.round((part.toMs - part.fromMs) / 1000));
		return html`<rect class="s-${state}" x="${x}" y="0" width="${length}" height="10"/>`;
	});
	const words = segments.map(({ state }) => state).join(", then ");
	return html`<svg class="strip" viewBox="0 0 ${width} 10" preserveAspectRatio="none" role="img" aria-label="${
		words === "" ? "not there" : words
	}"><rect class="ground" x="0" y="0" width="${width}" height="10"/>${parts}</svg>`;
}
