/** The daemon's status as lines for a person: services and backends, proxies, losses. Pure but for colour. */

import type { BackendView, ComparedView, DaemonStatus, DelaysView, ProxyView } from "../admin/view.js";
import { printable } from "../config/wording.js";
import { span } from "../span.js";
import { counted } from "./explain-words.js";
import { fleetSummary } from "./fleet-lines.js";
import { type Cell, colour, table } from "./output.js";

/** Longest reason of a proxy, in characters. */
const MAX_WHY = 2000;

/** @param nowMs wall clock, for how long ago things were */
export function statusLines(status: DaemonStatus, nowMs: number): string[] {
	const { version, host, pid, uptimeMs, listeners, services, proxies } = status;
	const ago = (at: string) => `${span(nowMs - Date.parse(at))} ago`;
	const backends = services.flatMap(({ name, backends: all }): Cell[][] =>
		all.length === 0
			? [[name, { text: "none", colour: "yellow" }]]
			: all.map((backend) => [name, backend.id, stateOf(backend), ago(backend.since), backend.reason]),
	);
	return [
		`solistend ${version} on ${host}, pid ${pid}, up ${span(uptimeMs)}; ${counted(listeners, "listener", "listeners")} on this host`,
		...(status.fleet === undefined ? [] : fleetSummary(status.fleet, nowMs)),
		...sensorLines(status.sensor, nowMs),
		"",
		...section(["SERVICE", "BACKEND", "STATE", "SINCE", "REASON"], backends, "no services are configured"),
		...absentHolds(status),
		"",
		...section(
			["PROXY", "TYPE", "STATE", "LAST CHANGE", ...["CHANGES", "FAST LANE", "RELOADS", "FAILURES"].map(right)],
			proxies.map((proxy): Cell[] => [
				proxy.name,
				proxy.type,
				{ text: proxy.state, colour: PROXY_COLOURS[proxy.state] },
				proxy.lastApplied === undefined ? "-" : ago(proxy.lastApplied.at),
				...[proxy.applied, proxy.fastChanges, proxy.reloads, proxy.failed].map(String),
			]),
			"no proxies are configured",
		),
		...proxies.flatMap(details),
		...lossLines(status.losses),
	];
}

const right = (title: string) => ({ title, align: "right" as const });

function section(titles: Parameters<typeof table>[0], rows: readonly (readonly Cell[])[], none: string): string[] {
	if (rows.length === 0) return [none];
	const [head = "", ...lines] = table(titles, rows);
	return [colour("bold", head), ...lines];
}

function stateOf({ state, held }: BackendView): Cell {
	if (held) return { text: `held (${state})`, colour: "yellow" };
	switch (state) {
		case "ready":
			return { text: state, colour: "green" };
		case "closing":
		case "drain":
			return { text: state, colour: "yellow" };
		case "down":
		case "out":
			return { text: state, colour: "red" };
		default:
			return state satisfies never;
	}
}

const PROXY_COLOURS = {
	starting: "yellow",
	applied: "green",
	observing: "green",
	unreachable: "red",
	failed: "red",
} as const;

/** What is held and has no row: forgotten otherwise, until it comes back. */
function absentHolds({ services, holds }: DaemonStatus): string[] {
	const shown = new Set(services.flatMap(({ name, backends }) => backends.map(({ id }) => `${name}/${id}`)));
	const absent = holds.filter(({ service, id }) => !shown.has(`${service}/${id}`));
	if (absent.length === 0) return [];
	const names = absent.map(({ service, id, state }) => `${service}/${id} (${state})`).join(", ");
	return ["", colour("yellow", `held, and not there now: ${names}`)];
}

/** What a proxy's row has no room for. */
function details({ name, why, serving, steps = [], compared }: ProxyView): string[] {
	return [
		// a tool's own words, which may repeat anything
		...(why === undefined ? [] : ["", `${name}: ${printable(why, MAX_WHY)}`]),
		...(serving === undefined ? [] : [`${name}: it goes on serving ${serving}`]),
		...(compared === undefined ? [] : ["", `${name}: ${comparedText(compared)}`]),
		...(steps.length === 0 ? [] : ["", ...steps.map((step) => `${name}: would ${step}`)]),
	];
}

/** How the proxy's own checks did, in one line. */
function comparedText({ up, down, unnoticed, ...rest }: ComparedView): string {
	const delays = (what: string, { count, medianMs, maxMs }: DelaysView) =>
		medianMs === undefined || maxMs === undefined
			? `no ${what} yet`
			: `${count} ${what} seen ${seconds(medianMs)} later (median; at most ${seconds(maxMs)})`;
	const counted = [
		[unnoticed, "not noticed"],
		[rest.byChecksAlone, "by its checks alone"],
		[rest.onlyInProxy.length, "only in the proxy"],
		[rest.onlyInSolistend.length, "only in solistend"],
		[rest.downInProxy.length, "listening but down in the proxy"],
		[rest.unchecked.length, "not checked"],
	] as const;
	const others = counted.flatMap(([count, what]) => (count > 0 ? [`${count} ${what}`] : []));
	return `its own checks, compared with the kernel: ${[delays("up", up), delays("down", down), ...others].join("; ")}`;
}

const seconds = (ms: number) => `${(ms / 1000).toFixed(2)} s`;

/** What must not be overlooked: what follows is no news. */
function sensorLines(sensor: DaemonStatus["sensor"], nowMs: number): string[] {
	if (sensor.state === "up") return [];
	const since = span(nowMs - Date.parse(sensor.since));
	const text = `the sensor is down for ${since}, backends stay as they are: ${printable(sensor.why, MAX_WHY)}`;
	return ["", colour("red", text)];
}

function lossLines(losses: DaemonStatus["losses"]): string[] {
	const lost = Object.entries(losses).filter(([, count]) => count > 0);
	if (lost.length === 0) return [];
	const shown = lost.map(([reason, count]) => `${reason} ${count}`).join(", ");
	return ["", colour("yellow", `lost since the start, and repaired by reading the kernel's table: ${shown}`)];
}
