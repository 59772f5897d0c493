/** The services with their backends: a table each, with a time line for every backend. Pure. */

import type { BackendView, ServiceView, TimelineEntry } from "../view.js";
import { type Html, html } from "./html.js";
import { type ShownState, segmentsOf, stripOf, type Window } from "./strip.js";
import { ago } from "./times.js";

/** Rows of all services together: beyond that nobody reads, but asks for one service, or searches. */
const MAX_ROWS = 500;
/** Of a service that is asked for. */
const MAX_ROWS_OF_ONE = 1000;
/** Of a service: those that left last. */
const MAX_GONE = 20;

export interface Wanted {
	/** Words that must all be found in a row. */
	readonly search: string;
	/** Only backends that are not simply ready. */
	readonly isOddOnly: boolean;
	/** The name of the only service that is shown; empty: all. */
	readonly service: string;
}

interface Row {
	readonly service: string;
	readonly id: string;
	readonly state: ShownState;
	readonly held: boolean;
	readonly reason: string;
	readonly since: string;
	readonly host: string | undefined;
	readonly now: BackendView | undefined;
	readonly entries: readonly TimelineEntry[];
}

/** @param entries of all backends, the oldest first */
export function servicesOf(
	services: readonly ServiceView[],
	entries: readonly TimelineEntry[],
	window: Window,
	wanted: Wanted,
): Html {
	if (services.length === 0) {
		return html`<p class="none" data-key="none">No services are configured, and no container declares one.</p>`;
	}
	const isOne = wanted.service !== "";
	const chosen = isOne ? services.filter(({ name }) => name === wanted.service) : services;
	const known = groupedBy(entries, ({ service }) => service);
	const all = chosen.map((service) => ({ service, rows: rowsOf(service, known.get(service.name) ?? []) }));
	const matching = all.map(({ service, rows }) => ({ service, rows: rows.filter((row) => isWanted(row, wanted)) }));
	const room = fairShare(
		matching.map(({ rows }) => rows.length),
		isOne ? MAX_ROWS_OF_ONE : MAX_ROWS,
	);
	const isAll = wanted.search === "" && !wanted.isOddOnly;
	const parts = matching
		.filter(({ service, rows }) => isAll || rows.length > 0 || matches(service.name, wanted.search))
		.map(({ service, rows }) => serviceOf(service, rows, room, window, wanted));
	const none = chosen.length === 0 ? `No service is named ${wanted.service}.` : "Nothing here fits the search.";
	return html`${
		isOne
			? html`<p class="only" data-key="only">Only <b>${wanted.service}</b>: <a href="${pathOf({ ...wanted, service: "" })}">show all services</a></p>`
			: undefined
	}${parts}${parts.length > 0 ? undefined : html`<p class="none" data-key="none">${none}</p>`}`;
}

/** How many rows each may have, so that all together fit: those that have more get the same. */
export function fairShare(sizes: readonly number[], room: number): number {
	let left = room;
	for (const [i, size] of sizes.toSorted((a, b) => a - b).entries()) {
		const share = Math.floor(left / (sizes.length - i));
		if (size > share) return share;
		left -= size;
	}
	return Number.POSITIVE_INFINITY;
}

/** Where the page shows this. */
function pathOf({ search, isOddOnly, service }: Wanted): string {
	const query = new URLSearchParams({
		...(service !== "" && { service }),
		...(search !== "" && { q: search }),
		...(isOddOnly && { odd: "1" }),
	});
	return query.size > 0 ? `/?${query}` : "/";
}

/** Those that are there, and then those that left lately. */
function rowsOf({ name, backends }: ServiceView, entries: readonly TimelineEntry[]): Row[] {
	const known = groupedBy(entries, ({ backend }) => backend);
	const there = backends.map((now): Row => {
		const { id, state, held, reason, since, host } = now;
		return { service: name, id, state, held, reason, since, host, now, entries: known.get(id) ?? [] };
	});
	for (const { id } of backends) known.delete(id);
	const gone = [...known].flatMap(([id, mine]): Row[] => {
		const last = mine.at(-1);
		if (last === undefined) return [];
		const { at: since, reason } = last;
		// a service that is no more takes its backends with it, and nobody tells of each
		const entries = last.state === "gone" ? mine : [...mine, { ...last, state: "gone" as const }];
		const rest = { host: undefined, now: undefined, entries };
		return [{ service: name, id, state: "gone", held: false, reason, since, ...rest }];
	});
	return [...there, ...gone.toSorted((a, b) => (a.since < b.since ? 1 : -1)).slice(0, MAX_GONE)];
}

function groupedBy<T>(all: readonly T[], keyOf: (one: T) => string): Map<string, T[]> {
	const groups = new Map<string, T[]>();
	for (const one of all) {
		const key = keyOf(one);
		const group = groups.get(key);
		if (group === undefined) groups.set(key, [one]);
		else group.push(one);
	}
	return groups;
}

/** As many as there is room for, those first that are not simply ready; in their order. */
function within(rows: readonly Row[], room: number): readonly Row[] {
	if (rows.length <= room) return rows;
	const first = new Set([...rows.filter(isOdd), ...rows.filter((row) => !isOdd(row))].slice(0, room));
	return rows.filter((row) => first.has(row));
}

const isOdd = ({ state, held, now }: Row): boolean => state !== "ready" || held || now?.unfit !== undefined;

/** What the search looks at. */
const findText = ({ service, id, state, held, reason, host = "" }: Row): string =>
	`${service} ${id} ${state}${held ? " held" : ""} ${host} ${reason}`.toLowerCase();

const matches = (text: string, search: string): boolean =>
	search
		.toLowerCase()
		.split(/\s+/)
		.every((word) => text.toLowerCase().includes(word));

const isWanted = (row: Row, { search, isOddOnly }: Wanted): boolean =>
	(!isOddOnly || isOdd(row)) && (search === "" || matches(findText(row), search));

const COUNTED = ["ready", "closing", "drain", "down", "out"] as const;

function serviceOf(
	{ name, backends }: ServiceView,
	all: readonly Row[],
	room: number,
	window: Window,
	wanted: Wanted,
): Html {
	const rows = within(all, room);
	const hidden = all.length - rows.length;
	const isAll = wanted.search === "" && !wanted.isOddOnly;
	const counts = COUNTED.flatMap((state) => {
		const count = backends.filter((backend) => backend.state === state).length;
		return count === 0 ? [] : [html`<span class="count"><i class="dot s-${state}"></i>${count} ${state}</span>`];
	});
	const none =
		backends.length > 0 || all.length > 0
			? undefined
			: html`<p class="none" data-key="none">Nothing that listens matches it; <code>solistend explain ${name}</code> says what comes near.</p>`;
	const table =
		rows.length === 0
			? undefined
			: html`<table class="backends" data-key="table" data-list>
<thead data-key="head"><tr><th scope="col">Backend</th><th scope="col">State</th><th scope="col">For</th><th scope="col">Why</th><th scope="col">Last 15 minutes</th></tr></thead>
<tbody data-key="rows" data-list>${rows.map((row) => rowOf(row, window))}</tbody></table>`;
	const mend =
		wanted.service === ""
			? html`<a href="${pathOf({ ...wanted, service: name })}">show all of ${name}</a>`
			: html`search for them`;
	const more =
		hidden === 0
			? undefined
			: html`<p class="none" data-key="more">${hidden} more ${hidden === 1 ? "backend is" : "backends are"} not shown: ${mend}</p>`;
	const state = backends.some((backend) => backend.state === "ready") ? "fine" : "empty";
	return html`<article class="service ${state}" data-key="service ${name}" data-list>
<header data-key="head"><h3>${name}</h3><p class="counts">${
		counts.length > 0 ? counts : html`<span class="count"><i class="dot s-out"></i>no backends</span>`
	}</p></header>${isAll ? none : undefined}${table}${more}</article>`;
}

function rowOf(row: Row, window: Window): Html {
	const { id, state, held, reason, since, host, now, entries } = row;
	const where = host === undefined ? undefined : html`<span class="host">on ${host}</span>`;
	const word = held ? html`held <small>${state}</small>` : html`${state}`;
	const unfit = now?.unfit === undefined || state !== "ready" ? undefined : html` <small>${now.unfit}</small>`;
	return html`<tr class="is-${state}" data-key="${id}" data-state="${state}" data-find="${findText(row)}" tabindex="-1">
<th scope="row"><code>${id}</code>${where}</th><td class="state"><i class="dot s-${state}"></i><span>${word}${unfit}</span></td>
<td class="since">${ago(since, window.toMs)}</td><td class="why">${reason}</td>
<td class="line">${stripOf(segmentsOf(entries, now, window), window)}</td></tr>
`;
}
