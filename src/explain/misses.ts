/** Of a service that nothing listens for: the listeners whose containers name it, and those that its rule nearly takes. */

import type { MissView } from "../admin/explain-view.js";
import type { Decisions } from "../backends/decisions.js";
import { sanitize } from "../identity/sanitize.js";
import type { Pipeline } from "../pipeline.js";
import type { Listening } from "./candidates.js";

const MAX_MISSES = 5;

/** The keys of a match as they are tried: whoever fails a later one came nearer. */
const TRIED: readonly string[] = ["hostname", "comm", "unit", "cgroup", "netns"];

/** The nearest first. */
export function missesOf(
	service: string,
	listening: readonly Listening[],
	pipeline: Pick<Pipeline, "decisions">,
): MissView[] {
	const misses = listening.flatMap(({ listener }): (MissView & { readonly nearness: number })[] => {
		const { endpoint, resolved } = listener;
		const miss = missOf(service, pipeline.decisions(listener), resolved.isHost);
		if (miss === undefined) return [];
		const { key, why: text } = miss;
		const { netnsInode: netns, netnsName, comm } = resolved.identity;
		const { address, port, sockets } = endpoint;
		const nearness = key === "label" ? TRIED.length + 1 : TRIED.includes(key) ? TRIED.indexOf(key) : TRIED.length;
		const place = { service, netns, ...(netnsName !== undefined && { netnsName }), address, port };
		return [{ nearness, ...place, pid: sockets[0].pid, comm: sanitize(comm), key, text }];
	});
	return misses
		.sort((a, b) => b.nearness - a.nearness)
		.slice(0, MAX_MISSES)
		.map(({ nearness: _, ...miss }) => miss);
}

/** What a listener fails, where it came near: whoever says itself that it serves the service came nearest. */
function missOf(
	service: string,
	{ misfits, rules }: Decisions,
	isHost: boolean,
): { readonly key: string; readonly why: string } | undefined {
	const misfit = misfits.find((one) => one.service === service);
	if (misfit !== undefined) return { key: "label", why: misfit.why };
	const rule = rules.find((one) => one.service === service);
	// the host's listeners are sorted out before any key is tried, and another port is no near miss
	return rule === undefined || rule.matched || isHost || rule.key === "port" ? undefined : rule;
}
