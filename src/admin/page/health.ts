/** How the sensor and the fleet are, and in large what keeps solistend from doing its work. Pure. */

import type { FleetView } from "../fleet-view.js";
import type { DaemonStatus } from "../view.js";
import { type Html, html } from "./html.js";
import { proxyMood } from "./proxies.js";
import { ago } from "./times.js";

/** What must not be overlooked; empty where all is well. */
export function troublesOf({ sensor, proxies, fleet }: DaemonStatus, nowMs: number): Html {
	const troubles = [
		...(sensor.state === "up"
			? []
			: [
					html`<li data-key="sensor"><strong>The sensor is down</strong> for ${ago(sensor.since, nowMs)}: backends stay as they are, nobody joins or leaves. ${words(sensor.why)}</li>`,
				]),
		...proxies
			.filter(({ state }) => proxyMood(state) === "bad")
			.map(
				({ name, state, why, serving }) =>
					html`<li data-key="proxy ${name}"><strong>Proxy ${name}: ${state}</strong>${
						serving === undefined ? undefined : html`, it goes on serving ${serving}`
					}. ${why === undefined ? undefined : html`${words(why)}`}</li>`,
			),
		...(fleet?.registry.state === "frozen"
			? [
					html`<li data-key="registry"><strong>The registry is out of reach</strong> for ${ago(fleet.registry.since, nowMs)}: backends of other hosts stay as they are. ${words(fleet.registry.why)}</li>`,
				]
			: []),
		...(fleet?.publishing.state === "refused"
			? [
					html`<li data-key="publishing"><strong>Others are told nothing of this host.</strong> ${words(fleet.publishing.why)}</li>`,
				]
			: []),
	];
	return html`<ul class="troubles" data-key="troubles" data-list role="status">${troubles}</ul>`;
}

/** A tool's own words, on as many lines as it wrote. */
function words(text: string): Html {
	return html`<span class="words">${text.split("\n").map((line) => html`<span>${line}</span>`)}</span>`;
}

export function sensorOf({ sensor, losses, listeners }: DaemonStatus, nowMs: number): Html {
	const lost = Object.entries(losses).filter(([, count]) => count > 0);
	const state =
		sensor.state === "up"
			? html`<i class="dot m-fine"></i>up: it tells of every listen() and close() on this host`
			: html`<i class="dot m-bad"></i>down for ${ago(sensor.since, nowMs)}`;
	return html`<section class="panel facts" id="sensor" data-key="sensor" aria-labelledby="h-sensor"><h2 id="h-sensor">Sensor</h2>
<dl><dt>State</dt><dd>${state}</dd><dt>Listeners</dt><dd>${listeners} on this host</dd><dt>Lost events</dt><dd>${
		lost.length === 0
			? "none"
			: html`${lost.map(([reason, count]) => html`<span class="loss"><b>${count}</b> ${reason}</span> `)}<small>each was repaired by reading the kernel's table</small>`
	}</dd></dl></section>`;
}

export function fleetOf(fleet: FleetView | undefined): Html | undefined {
	if (fleet === undefined) return undefined;
	const { cluster, hosts, registry, publishing, offers, draining } = fleet;
	const rows = hosts.map(
		({ host, zone, state, backends, leaseLeftMs, lagMs, version }) =>
			html`<tr><th scope="row">${host}${zone === undefined ? undefined : html`<small>${zone}</small>`}</th><td class="state"><i class="dot h-${state}"></i><span>${state}</span></td><td class="number" data-title="backends">${backends}</td><td class="number" data-title="lag">${lagMs === undefined ? "–" : `${lagMs.toFixed(1)} ms`}</td><td class="number" data-title="lease left">${leaseLeftMs === undefined ? "–" : `${(Math.max(0, leaseLeftMs) / 1000).toFixed(0)} s`}</td><td class="number" data-title="version">${version}</td></tr>`,
	);
	const table =
		rows.length === 0
			? html`<p class="none">No other host is known.</p>`
			: html`<table class="hosts"><thead><tr><th scope="col">Host</th><th scope="col">State</th><th scope="col" class="number">Backends</th><th scope="col" class="number">Lag</th><th scope="col" class="number">Lease left</th><th scope="col" class="number">Version</th></tr></thead><tbody>${rows}</tbody></table>`;
	const told = {
		off: "tells of none",
		current: `tells of ${offers} backends`,
		behind: "waits to tell",
		refused: "is refused",
	};
	return html`<section class="panel facts" id="fleet" data-key="fleet" aria-labelledby="h-fleet"><h2 id="h-fleet">Fleet <small>${cluster}</small></h2>
<dl><dt>Registry</dt><dd><i class="dot m-${registry.state === "up" ? "fine" : "bad"}"></i>${registry.state === "up" ? "up" : "out of reach"}</dd><dt>This host</dt><dd>${draining ? "is drained, and " : ""}${told[publishing.state]}</dd></dl>
${table}</section>`;
}
