/** Explanations as lines for a person: what the word means, then each listener at length or in a line. Pure but for colour. */

import type { ExplainedView, ExplainView, MeaningView } from "../admin/explain-view.js";
import { span } from "../span.js";
import { atLengthLines, historyLines, type Shown } from "./explain-one.js";
import { counted, holdUp, netnsOf, placeOf, STATE_COLOURS } from "./explain-words.js";
import type { Cell } from "./output.js";
import { wrappedTable } from "./wrap.js";

/** How many listeners are told of at length; where there are more, one line has to do. */
const MAX_AT_LENGTH = 4;
/** How many of those that closed are told of in a line each. */
const MAX_CLOSED = 10;

/** An answer, and the word that was asked for. */
export interface AskedFor extends Shown {
	readonly what: string;
}

export function explainLines(answer: ExplainView, shown: AskedFor): string[] {
	return answer.others === undefined ? found(answer, shown) : overview(answer, answer.others, shown);
}

function found(answer: ExplainView, shown: AskedFor): string[] {
	const { meanings, listeners, more } = answer;
	const listening = listeners.filter(({ state }) => state === "listening");
	const closed = listeners.filter(({ state }) => state === "closed");
	const isFew = listeners.length <= MAX_AT_LENGTH;
	const atLength = isFew ? listeners : listening.length <= MAX_AT_LENGTH ? listening : [];
	const briefly = isFew ? [] : [...(atLength.length > 0 ? [] : listening), ...closed.slice(0, MAX_CLOSED)];
	const left = more + (isFew ? 0 : Math.max(0, closed.length - MAX_CLOSED));
	return [
		...meanings.map((meaning) => meaningLine(meaning, shown.what)),
		...atLength.flatMap((listener) => ["", ...atLengthLines(listener, answer, shown)]),
		...(briefly.length === 0 ? [] : ["", ...brieflyLines(briefly, shown)]),
		...(left === 0 ? [] : [`and ${left} more (--json has ${more === 0 ? "them all" : "some of them"})`]),
		...(briefly.length === 0 || atLength.length > 0
			? []
			: ["", "for the steps and changes of one: solistend explain --pid PID, or its backend (service/address:port)"]),
		...strayLines(answer, shown),
		...missLines(answer, shown),
	];
}

function overview(answer: ExplainView, others: NonNullable<ExplainView["others"]>, shown: Shown): string[] {
	const { listeners, more } = answer;
	const count = listeners.length + more;
	const inPool = `${counted(others.in, "is in its pool", "are in their pools")}, and no service matches ${others.unmatched}`;
	if (count === 0) return [`nothing is held up: of the listeners ${inPool}`, ...strayLines(answer, shown)];
	return [
		`${counted(count, "listener is", "listeners are")} on the way or held up; of the others ${inPool}`,
		"",
		...brieflyLines(listeners, shown),
		...(more === 0 ? [] : [`and ${more} more`]),
		...strayLines(answer, shown),
	];
}

function meaningLine({ meaning, name, listening, closed }: MeaningView, what: string): string {
	const title = meaning === "pid" ? "process" : meaning;
	const counts = [
		...(listening > 0 ? [counted(listening, "listener", "listeners")] : []),
		...(closed > 0 ? [`${closed} closed lately`] : []),
	];
	const of = counts.length > 0 ? counts.join(", ") : "no listener leads to it";
	return `${name === what ? "" : `${what} is `}${title} ${name}: ${of}`;
}

function brieflyLines(listeners: readonly ExplainedView[], { nowMs, width }: Shown): string[] {
	const right = (title: string) => ({ title, align: "right" as const });
	const rows = listeners.map((listener): Cell[] => [
		netnsOf(listener),
		listener.address,
		String(listener.port),
		String(listener.pid),
		listener.comm,
		span((listener.closedAt === undefined ? nowMs : Date.parse(listener.closedAt)) - Date.parse(listener.since)),
		briefly(listener, nowMs),
	]);
	const titles = ["NETNS", "ADDRESS", right("PORT"), right("PID"), "COMM", "FOR", "STATE"];
	return wrappedTable(titles, rows, { width });
}

/** Where it is, and where not, what holds it up. */
function briefly({ verdict, unmatched, waitingFor, closedAt, since }: ExplainedView, nowMs: number): Cell {
	if (verdict === undefined) return `closed ${span(nowMs - Date.parse(closedAt ?? since))} ago`;
	if (unmatched === true) return { text: "matched by no service", colour: "dim" };
	if (waitingFor !== undefined) return { text: holdUp(waitingFor), colour: STATE_COLOURS[waitingFor.state] };
	if (verdict.state !== "in") return { text: `${verdict.state}: ${verdict.why}`, colour: "yellow" };
	return {
		text: `in ${verdict.places.map(({ service, backend }) => `${service} as ${backend}`).join(", ")}`,
		colour: "green",
	};
}

function strayLines({ strays }: ExplainView, shown: Shown): string[] {
	const { nowMs, width } = shown;
	if (strays.length === 0) return [];
	const hasHosts = strays.some(({ host }) => host !== undefined);
	const rows = strays.map(({ service, id, state, held, since, reason, host = "" }): Cell[] => [
		`${service}/${id}`,
		...(hasHosts ? [host] : []),
		held ? `held (${state})` : state,
		since === undefined ? "" : span(nowMs - Date.parse(since)),
		reason,
	]);
	const titles = ["BACKEND", ...(hasHosts ? ["HOST"] : []), "STATE", "FOR", "REASON"];
	const told = strays.length > MAX_AT_LENGTH ? [] : strays.map(({ history = [] }) => history);
	return [
		"",
		"backends without a listener here:",
		"",
		...wrappedTable(titles, rows, { indent: 2, width }),
		...told.filter(({ length }) => length > 0).flatMap((history) => ["", ...historyLines(history, shown)]),
	];
}

function missLines({ meanings, misses }: ExplainView, { width }: Shown): string[] {
	if (!meanings.some(({ meaning, listening }) => meaning === "service" && listening === 0)) return [];
	if (misses.length === 0)
		return ["", "no listener comes near: all have another port, or are the host's (solistend ls)"];
	const rows = misses.map((miss): Cell[] => [placeOf(miss), miss.text]);
	return ["", "the nearest to it:", "", ...wrappedTable(["LISTENER", "WHY NOT"], rows, { indent: 2, width })];
}
