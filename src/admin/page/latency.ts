/** How long changes took, over all proxies: two distributions as bars. Pure. */

import type { HistogramView } from "../histogram-view.js";
import type { ProxyView } from "../view.js";
import { type Html, html } from "./html.js";

/** Of all proxies together; undefined where none has counted anything. */
export function summed(histograms: readonly HistogramView[]): HistogramView | undefined {
	const [first] = histograms;
	if (first === undefined) return undefined;
	const counts = first.counts.map((_, i) => histograms.reduce((sum, one) => sum + (one.counts[i] ?? 0), 0));
	const sum = histograms.reduce((total, one) => total + one.sum, 0);
	return counts.some((count) => count > 0) ? { bounds: first.bounds, counts, sum } : undefined;
}

/** The bound under which that share lies, as text. */
export function within({ bounds, counts }: HistogramView, share: number): string {
	const total = counts.reduce((sum, count) => sum + count, 0);
	let seen = 0;
	const place = counts.findIndex((count) => {
		seen += count;
		return seen >= share * total;
	});
	const bound = bounds[place];
	return bound === undefined ? `over ${boundText(bounds.at(-1) ?? 0)}` : boundText(bound);
}

const boundText = (seconds: number): string => (seconds < 1 ? `${seconds * 1000} ms` : `${seconds} s`);

/** The section, with a list as its content. */
export function latencyOf(proxies: readonly ProxyView[]): Html {
	const listen = summed(proxies.map(({ delays }) => delays.listen));
	const close = summed(proxies.map(({ delays }) => delays.close));
	return html`<section class="panel" id="latency" data-key="latency" data-list aria-labelledby="h-latency">
<h2 id="h-latency" data-key="h">From the kernel to the proxy</h2>
${distribution("listen() until it is served", "listen", listen)}${distribution("close() until it is out", "close", close)}
</section>`;
}

const HEIGHT = 44;
const STEP = 20;

function distribution(title: string, key: string, histogram: HistogramView | undefined): Html {
	if (histogram === undefined) {
		return html`<figure data-key="${key}"><figcaption>${title}<span>nothing yet</span></figcaption></figure>`;
	}
	const { bounds, counts } = histogram;
	const total = counts.reduce((sum, count) => sum + count, 0);
	const most = Math.max(...counts);
	const bars = counts.map((count, i) => {
		const height = count === 0 ? 0 : Math.max(2, Math.round((HEIGHT * count) / most));
		const bound = bounds[i];
		const name = bound === undefined ? `over ${boundText(bounds.at(-1) ?? 0)}` : `up to ${boundText(bound)}`;
		return html`<g><title>${name}: ${count}</title><rect class="ground" x="${i * STEP + 1}" y="0" width="${STEP - 2}" height="${HEIGHT}"/><rect class="bar" x="${i * STEP + 1}" y="${HEIGHT - height}" width="${STEP - 2}" height="${height}"/></g>`;
	});
	const texts = bounds.flatMap((bound, i) =>
		i % 3 === 0
			? [html`<text x="${(i + 1) * STEP}" y="${HEIGHT + 11}" text-anchor="middle">${boundText(bound)}</text>`]
			: [],
	);
	const median = within(histogram, 0.5);
	const most99 = within(histogram, 0.99);
	return html`<figure data-key="${key}"><figcaption>${title}<span>half within <b>${median}</b>, 99 % within <b>${most99}</b>, of ${total}</span></figcaption>
<svg class="histogram" viewBox="0 0 ${counts.length * STEP} ${HEIGHT + 14}" role="img" aria-label="${title}: half within ${median}, 99 % within ${most99}">${bars}${texts}</svg></figure>`;
}
