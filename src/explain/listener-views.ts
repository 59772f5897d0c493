/** A listener, or one that closed lately, as answers show it: who, how far it came, and what happened to it. */

import type { ExplainedView, Meaning } from "../admin/explain-view.js";
import type { Identity } from "../identity/identity.js";
import { sanitize } from "../identity/sanitize.js";
import type { Pipeline } from "../pipeline.js";
import type { Candidate, Closed, Listening } from "./candidates.js";
import { firstWaiting, type Said, stepsOf } from "./steps.js";
import { changeView } from "./words.js";

export interface ViewContext extends Omit<Said, "decisions"> {
	readonly pipeline: Pick<Pipeline, "decisions" | "history" | "toMs">;
	/** A time of the pipeline's clock as a date, ISO 8601. */
	toIso(ms: number): string;
}

export function explainedView(candidate: Candidate, means: readonly Meaning[], context: ViewContext): ExplainedView {
	return candidate.state === "closed"
		? closedView(candidate, means, context)
		: listeningView(candidate, means, context);
}

function listeningView({ listener }: Listening, means: readonly Meaning[], context: ViewContext): ExplainedView {
	const { pipeline, toIso, statusOf, proxiesOf } = context;
	const { endpoint, resolved, verdict, isUnmatched } = listener;
	const [{ pid, atNs }] = endpoint.sockets;
	const steps = stepsOf(listener, { decisions: pipeline.decisions(listener), statusOf, proxiesOf });
	const waitingFor = firstWaiting(steps);
	return {
		state: "listening",
		means,
		...whoView(resolved.identity, endpoint, pid),
		since: toIso(pipeline.toMs(atNs)),
		verdict,
		...(isUnmatched === true && { unmatched: true }),
		steps,
		...(waitingFor !== undefined && { waitingFor }),
		history: pipeline.history.of(endpoint.key).map((change) => changeView(change, toIso)),
	};
}

function closedView({ departed }: Closed, means: readonly Meaning[], { pipeline, toIso }: ViewContext): ExplainedView {
	const { key, identity, pid, sinceMs, closedMs } = departed;
	return {
		state: "closed",
		means,
		...whoView(identity, departed, pid),
		since: toIso(sinceMs),
		closedAt: toIso(closedMs),
		steps: [],
		history: pipeline.history.of(key).map((change) => changeView(change, toIso)),
	};
}

function whoView(
	{ netnsInode, netnsName, comm, hostname, container, containerName, unit }: Identity,
	{ address, port }: { readonly address: string; readonly port: number },
	pid: number,
) {
	return {
		netns: netnsInode,
		...(netnsName !== undefined && { netnsName }),
		address,
		port,
		pid,
		comm: sanitize(comm),
		hostname: sanitize(hostname),
		...(container !== undefined && { container }),
		...(containerName !== undefined && { containerName }),
		...(unit !== undefined && { unit }),
	};
}
