/** A gate in words, for verdicts and the log. Pure. */

import { backendId } from "../backends/backend.js";
import type { Question } from "../backends/gate.js";
import { formatDuration } from "../duration.js";

/**
 * Why one that is being asked is not in yet, as a clause.
 *
 * @param last what came of the last question; undefined before the first
 */
export function waitsFor(question: Question, last: string | undefined, leftMs: number): string {
	const { ready, address, port } = question;
	const place = backendId(address, port);
	const what = ready.http === undefined ? `a connection to ${place}` : `GET ${ready.http} at ${place}`;
	return `waits for ${what}: ${last ?? "not asked yet"}, ${formatDuration(Math.max(0, leftMs))} left`;
}

/** Why one that was asked in vain is not in, as a clause. */
export function didNotAnswer({ ready, address, port }: Question, last = "never asked"): string {
	const { http, status, timeout } = ready;
	const wanted = status.from === status.to ? status.from : `${status.from}-${status.to}`;
	const what =
		http === undefined
			? `${backendId(address, port)} took no connection`
			: `GET ${http} at ${backendId(address, port)} did not answer ${wanted}`;
	return `${what} within ${formatDuration(timeout)} (last: ${last}; it is asked again when it listens again)`;
}

/** How it went, for one that answered at last. */
export function readyAfter(ms: number, probes: number): string {
	return `ready after ${formatDuration(ms)}, ${probes} ${probes === 1 ? "probe" : "probes"}`;
}
