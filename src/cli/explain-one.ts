/** One listener at length, as lines for a person: where it stands, the steps that led there, what happened to it. Pure but for colour. */

import type { ChangeView, ExplainedView, ExplainView, StepView } from "../admin/explain-view.js";
import { span } from "../span.js";
import { holdUp, placeOf, STATE_COLOURS, when } from "./explain-words.js";
import { type Cell, colour } from "./output.js";
import { wrappedLines, wrappedTable } from "./wrap.js";

/** How many rules that do not match are shown. */
const MAX_RULES = 12;

/** What a person sees, and when. */
export interface Shown {
	/** Wall clock, for how long ago things were. */
	readonly nowMs: number;
	/** Columns of the terminal; undefined: lines are as long as they are. */
	readonly width: number | undefined;
}

export function atLengthLines(
	listener: ExplainedView,
	{ recordedSince, meanings }: ExplainView,
	{ nowMs, width }: Shown,
): string[] {
	const { history, means, waitingFor, state } = listener;
	// where the word has several meanings it is said whose this is
	const asWhat = new Set(meanings.map(({ meaning }) => meaning)).size > 1 ? `, by ${means.join(" and ")}` : "";
	const at = { indent: 2, width };
	return [
		colour("bold", `${placeOf(listener)}${asWhat}`),
		...wrappedLines(stateLine(listener, nowMs), at),
		...(waitingFor === undefined ? [] : wrappedLines(holdUp(waitingFor), at)),
		...(state === "closed"
			? []
			: ["", ...wrappedTable(["STEP", "SERVICE", "STATE", "WHAT"], stepRows(listener, recordedSince, nowMs), at)]),
		"",
		...(history.length === 0
			? wrappedLines(`nothing about it has changed since ${when(recordedSince, nowMs)}`, at)
			: historyLines(history, { nowMs, width })),
	];
}

/** What happened to a listener or a backend, a line each. */
export function historyLines(history: readonly ChangeView[], { nowMs, width }: Shown): string[] {
	const rows = history.map(({ at, backend, text }): Cell[] => [
		when(at, nowMs),
		span(nowMs - Date.parse(at)),
		backend === undefined ? text : `${backend} ${text}`,
	]);
	return wrappedTable(["WHEN", "AGO", "CHANGE"], rows, { indent: 2, width });
}

function stepRows({ steps, unmatched, since }: ExplainedView, recordedSince: string, nowMs: number): Cell[][] {
	// what listened before is only known to have listened then
	const isFound = Date.parse(since) < Date.parse(recordedSince);
	const seen = `${isFound ? "since before" : "since"} ${when(since, nowMs)}, ${span(nowMs - Date.parse(since))} ago`;
	const isMiss = ({ step, state, service }: StepView) => step === "rule" && state === "no" && service !== undefined;
	const misses = steps.filter(isMiss);
	const rows = [...steps.filter((step) => !isMiss(step)), ...misses.slice(0, MAX_RULES)].map((step): Cell[] => [
		step.step,
		step.service ?? "",
		// that one rule of many does not match is no trouble
		isMiss(step) && unmatched !== true ? step.state : { text: step.state, colour: STATE_COLOURS[step.state] },
		textOf(step, seen),
	]);
	const rest = misses.length - MAX_RULES;
	return rest > 0 ? [...rows, ["rule", `${rest} more`, "no", "(--json has them all)"]] : rows;
}

function textOf({ step, proxy, text }: StepView, seen: string): string {
	if (step === "seen") return `${text} ${seen}`;
	return proxy === undefined ? text : `${proxy}: ${text}`;
}

/** The answer in one line. */
function stateLine(listener: ExplainedView, nowMs: number): Cell {
	const { state, verdict, unmatched, closedAt, since, waitingFor } = listener;
	if (state === "closed" || verdict === undefined) {
		const at = closedAt ?? since;
		const listened = span(Date.parse(at) - Date.parse(since));
		const text = `closed ${span(nowMs - Date.parse(at))} ago (${when(at, nowMs)}), after it had listened for ${listened}`;
		return { text, colour: "yellow" };
	}
	if (unmatched === true) return "in no pool: no service's rule matches it";
	if (verdict.state !== "in") {
		return verdict.state === "pending"
			? { text: "in no pool yet", colour: "yellow" }
			: { text: "in no pool", colour: "red" };
	}
	const places = verdict.places.map(({ service, backend, state: of }) => {
		return `${service} as ${backend}${of === undefined ? "" : ` (${of})`}`;
	});
	return { text: `in ${places.join(", ")}`, colour: waitingFor === undefined ? "green" : "yellow" };
}
