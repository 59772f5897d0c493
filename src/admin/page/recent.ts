/** What happened last, the newest first. Pure. */

import type { TimelineView } from "../view.js";
import { type Html, html } from "./html.js";
import { clock } from "./times.js";

const SHOWN = 40;

export function recentOf({ since, entries }: TimelineView): Html {
	const rows = entries
		.slice(-SHOWN)
		.toReversed()
		.map(
			({ at, service, backend, state, held, reason }) =>
				html`<li data-key="${at} ${service}/${backend} ${state}"><time datetime="${at}" title="${at}">${clock(at)}</time><i class="dot s-${state}"></i><span><code>${service}/${backend}</code> <b>${held ? "held, " : ""}${state}</b> <span class="why">${reason}</span></span></li>
`,
		);
	return html`<section class="panel recent" id="recent" data-key="recent" data-list aria-labelledby="h-recent">
<h2 id="h-recent" data-key="h">What happened <small>UTC</small></h2>
${
	rows.length === 0
		? html`<p class="none" data-key="none">Nothing since ${clock(since)}: every backend is as it was.</p>`
		: html`<ol data-key="list" data-list>${rows}</ol>`
}
</section>`;
}
