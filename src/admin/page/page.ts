/**
 * The status page: one HTML document, complete without its script, which only fetches it again when something changed.
 * What may change is in elements with `data-key`; those with `data-list` hold such elements and nothing else. Pure.
 */

import { span } from "../../span.js";
import type { DaemonStatus, TimelineView } from "../view.js";
import { fleetOf, sensorOf, troublesOf } from "./health.js";
import { type Html, html } from "./html.js";
import { latencyOf, summed, within } from "./latency.js";
import { proxiesOf, proxyMood } from "./proxies.js";
import { recentOf } from "./recent.js";
import { servicesOf } from "./services.js";

/** What time lines show, in milliseconds. */
const WINDOW_MS = 15 * 60_000;
/** Longest search, in characters. */
const MAX_SEARCH = 200;

export interface PageOptions {
	/** Wall clock. */
	readonly nowMs: number;
	/** Words that backends must have. */
	readonly search: string;
	/** Only backends that are not simply ready. */
	readonly isOddOnly: boolean;
	/** The name of the only service that is shown; empty: all. */
	readonly service: string;
}

export function pageOf(status: DaemonStatus, timeline: TimelineView, { nowMs, ...options }: PageOptions): string {
	const { host, version, pid, uptimeMs, services, proxies } = status;
	const search = options.search.slice(0, MAX_SEARCH).trim();
	const wanted = { ...options, search };
	const window = { fromMs: nowMs - WINDOW_MS, toMs: nowMs, recordedMs: Date.parse(timeline.since) };
	const checked = options.isOddOnly ? html` checked` : undefined;
	const { html: text } = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${titleOf(status)}</title>
<link rel="icon" href="/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/page.css">
<noscript><meta http-equiv="refresh" content="5"></noscript>
<script src="/page.js" type="module"></script>
</head>
<body data-now="${nowMs}">
<a class="skip" href="#services">To the services</a>
<header class="top">
<h1>solistend <span>${host}</span></h1>
<p class="live" id="live" aria-live="polite"><i class="dot"></i><span>as of ${new Date(nowMs).toISOString().slice(11, 19)} UTC</span></p>
<form role="search" action="/" method="get">
${wanted.service === "" ? undefined : html`<input type="hidden" name="service" value="${wanted.service}">`}
<label class="odd"><input type="checkbox" name="odd" value="1"${checked}> not ready only</label>
<input type="search" name="q" value="${search}" placeholder="Search backends  ( / )" aria-label="Search backends by service, address, state, host or reason" maxlength="${MAX_SEARCH}" autocomplete="off" spellcheck="false">
<noscript><button>Search</button></noscript>
</form>
</header>
<main id="main" data-list>
${troublesOf(status, nowMs)}
${overviewOf(status)}
<section id="services" class="services" data-key="services" data-list aria-label="Services">
${servicesOf(services, timeline.entries, window, wanted)}
</section>
${proxiesOf(proxies, nowMs)}
${latencyOf(proxies)}
${recentOf(timeline)}
${sensorOf(status, nowMs)}
${fleetOf(status.fleet)}
<footer data-key="foot">solistend ${version}, pid ${pid}, up ${span(uptimeMs)} · <a href="/metrics">metrics</a> · <a href="/v1/status">status as JSON</a> · keys: <kbd>/</kbd> search, <kbd>j</kbd> <kbd>k</kbd> next and previous backend, <kbd>Esc</kbd> all</footer>
</main>
</body>
</html>
`;
	return text;
}

/** What a tab shows among many. */
function titleOf({ host, sensor, proxies, fleet }: DaemonStatus): string {
	const bad = proxies.filter(({ state }) => proxyMood(state) === "bad").length;
	const troubles = bad + (sensor.state === "up" ? 0 : 1) + (fleet?.registry.state === "frozen" ? 1 : 0);
	return `${troubles > 0 ? `(${troubles}) ` : ""}${host} – solistend`;
}

/** The few numbers that tell whether all is well. */
function overviewOf({ services, proxies, sensor, fleet, listeners }: DaemonStatus): Html {
	const backends = services.flatMap(({ backends: all }) => all);
	const ready = backends.filter(({ state }) => state === "ready").length;
	const without = services.filter(({ backends: all }) => !all.some(({ state }) => state === "ready")).length;
	const fine = proxies.filter(({ state }) => proxyMood(state) === "fine").length;
	const listen = summed(proxies.map(({ delays }) => delays.listen));
	const tiles = [
		tile(
			"services",
			"Backends ready",
			`${ready}`,
			` of ${backends.length}`,
			ready === backends.length ? "fine" : "busy",
		),
		tile(
			"services",
			"Services",
			`${services.length - without}`,
			` of ${services.length} served`,
			without === 0 ? "fine" : "bad",
		),
		tile("proxies", "Proxies", `${fine}`, ` of ${proxies.length} right`, fine === proxies.length ? "fine" : "bad"),
		tile("sensor", "Sensor", sensor.state, "", sensor.state === "up" ? "fine" : "bad"),
		tile(
			"latency",
			"Listen to served",
			listen === undefined ? "–" : within(listen, 0.5),
			listen === undefined ? "" : " median",
			"",
		),
		tile("sensor", "Listeners", `${listeners}`, " on this host", ""),
		...(fleet === undefined
			? []
			: [
					tile(
						"fleet",
						"Fleet",
						`${fleet.hosts.filter(({ state }) => state === "live").length}`,
						` of ${fleet.hosts.length} others live`,
						fleet.registry.state === "up" ? "fine" : "bad",
					),
				]),
	];
	return html`<ul class="tiles" data-key="tiles" data-list aria-label="Overview">${tiles}</ul>`;
}

/** @param to the section that has more of it */
function tile(to: string, name: string, value: string, rest: string, mood: "fine" | "busy" | "bad" | ""): Html {
	const dot = mood === "" ? undefined : html`<i class="dot m-${mood}"></i>`;
	return html`<li data-key="${name}"><a href="#${to}"><span class="name">${name}</span><span class="value">${dot}<b>${value}</b>${rest}</span></a></li>`;
}
