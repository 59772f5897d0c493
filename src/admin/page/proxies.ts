/** The proxies, each with its last transaction, and what keeps it from having what it should have. Pure. */

import type { ProxyView } from "../view.js";
import { type Html, html } from "./html.js";
import { ago } from "./times.js";

export function proxiesOf(proxies: readonly ProxyView[], nowMs: number): Html {
	const table = html`<table class="proxies" data-key="table"><thead><tr><th scope="col">Proxy</th><th scope="col">State</th><th scope="col">Last change</th><th scope="col" class="number">Changes</th><th scope="col" class="number">Fast lane</th><th scope="col" class="number">Reloads</th><th scope="col" class="number">Failures</th></tr></thead>
<tbody>${proxies.map((proxy) => rowOf(proxy, nowMs))}</tbody></table>`;
	return html`<section class="panel" id="proxies" data-key="proxies" data-list aria-labelledby="h-proxies">
<h2 id="h-proxies" data-key="h">Proxies</h2>
${proxies.length === 0 ? html`<p class="none" data-key="none">No proxies are configured.</p>` : table}
</section>`;
}

/** How the page colours a proxy's state. */
export const proxyMood = (state: ProxyView["state"]): "fine" | "busy" | "bad" => {
	if (state === "applied" || state === "observing") return "fine";
	return state === "starting" ? "busy" : "bad";
};

function rowOf({ name, type, mode, state, lastApplied, ...rest }: ProxyView, nowMs: number): Html {
	const { applied, fastChanges, reloads, failedReloads, failed, compared, steps = [] } = rest;
	const failedText = failedReloads === 0 ? undefined : html` <small class="bad">+${failedReloads} failed</small>`;
	const last =
		lastApplied === undefined
			? html`none yet`
			: html`${ago(lastApplied.at, nowMs)} ago, ${stages(lastApplied.stagesMs)}`;
	const would =
		steps.length === 0
			? undefined
			: html`<p class="note">it would ${steps.slice(0, 5).join("; ")}${
					steps.length > 5 ? ` and ${steps.length - 5} more` : ""
				}</p>`;
	const checks =
		compared?.up.medianMs === undefined
			? undefined
			: html`<p class="note">its own checks noticed a listener ${(compared.up.medianMs / 1000).toFixed(2)} s later (median of ${compared.up.count})</p>`;
	return html`<tr><th scope="row">${name}<small>${type}${mode === "observe" ? ", observed" : ""}</small></th>
<td class="state"><i class="dot m-${proxyMood(state)}"></i><span>${state}</span></td><td class="last">${last}${would}${checks}</td>
<td class="number" data-title="changes">${applied}</td><td class="number" data-title="fast lane">${fastChanges}</td><td class="number" data-title="reloads">${reloads}${failedText}</td><td class="number" data-title="failures">${failed}</td></tr>`;
}

/** What a change spent its time on. */
function stages(stagesMs: Readonly<Record<string, number>>): Html {
	const parts = Object.entries(stagesMs).map(([stage, ms]) => html`<span>${stage} <b>${ms.toFixed(1)}</b></span>`);
	const totalMs = Object.values(stagesMs).reduce((sum, ms) => sum + ms, 0);
	return html`in ${totalMs.toFixed(1)} ms<span class="stages">${parts}</span>`;
}
