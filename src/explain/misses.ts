/** Of a service that nothing listens for: the listeners that its rule nearly takes. */

import type { MissView } from "../admin/explain-view.js";
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
		const decision = pipeline.decisions(listener).rules.find((rule) => rule.service === service);
		if (decision === undefined || decision.matched) return [];
		const { key, why: text } = decision;
		// the host's listeners are sorted out before any key is tried, and another port is no near miss
		if (resolved.isHost || key === "port") return [];
		const { netnsInode: netns, netnsName, comm } = resolved.identity;
		const { address, port, sockets } = endpoint;
		const nearness = TRIED.includes(key) ? TRIED.indexOf(key) : TRIED.length;
		const place = { service, netns, ...(netnsName !== undefined && { netnsName }), address, port };
		return [{ nearness, ...place, pid: sockets[0].pid, comm: sanitize(comm), key, text }];
	});
	return misses
		.sort((a, b) => b.nearness - a.nearness)
		.slice(0, MAX_MISSES)
		.map(({ nearness: _, ...miss }) => miss);
}
