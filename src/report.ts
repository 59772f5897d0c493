/** The log's lines on listeners and backends: what came, went, or is not simply ready. */

import type { Logger } from "pino";
import type { BackendRef } from "./backends/backend.js";
import type { BackendStatus } from "./backends/status.js";
import type { JudgedListener } from "./judged.js";
import type { GateEnd } from "./readiness/gates.js";

/** A line for a listener that came or went; at `info` where it is news to those who follow a service. */
export function reportListener(
	log: Logger,
	what: "listening" | "closed",
	{ endpoint, resolved, verdict }: JudgedListener,
	isNews: boolean,
): void {
	const { comm, hostname, container, netnsName, netnsInode } = resolved.identity;
	const [place] = verdict.state === "in" ? verdict.places : [];
	log[isNews ? "info" : "debug"](
		{
			...place,
			address: endpoint.address,
			port: endpoint.port,
			pid: endpoint.sockets[0].pid,
			comm,
			netns: netnsName ?? netnsInode,
			hostname,
			...(container !== undefined && { container: container.slice(0, 12) }),
			verdict: verdict.state === "in" ? "in" : `${verdict.state}: ${verdict.why}`,
		},
		what,
	);
}

/** A line for a backend that answered what it has to before it joins, or did not in time. */
export function reportGate(log: Logger, { backend: { service, id }, isReady, how }: GateEnd): void {
	log[isReady ? "info" : "warn"]({ service, backend: id }, how);
}

/** A line for a backend that listens, and gets no new work. */
export function reportBackend(log: Logger, { service, id }: BackendRef, status: BackendStatus | undefined): void {
	if (status === undefined || status.state === "ready" || status.state === "closing") return;
	log.info({ service, backend: id, state: status.state, held: status.held }, status.reason);
}
