/** What a fault did to those who asked: from their requests and from when the server was out of the pool. Pure. */

import { percentile } from "../statistics.js";
import type { Request } from "./load.js";

export interface Outage {
	/** Not answered with 200. */
	readonly failed: number;
	/** Of these 502: the proxy had a connection to the application when it broke. */
	readonly broken: number;
	/** Of the failed ones, those that were due when the server was out already; all of them when it never was. */
	readonly late: number;
	/** From the event until it was out; undefined: never. */
	readonly outMs: number | undefined;
	/** Of what was asked in the first while, in milliseconds from when a request was due. */
	readonly p99: number;
}

export interface Course {
	/** When the fault began. */
	readonly beganMs: number;
	/** When it could be known: what `outMs` counts from. */
	readonly eventMs: number;
	/** When the server was seen to be out; undefined: never. */
	readonly seenMs: number | undefined;
}

/** @param whileMs how long from its beginning answers are looked at for their time */
export function outageOf(requests: readonly Request[], course: Course, whileMs: number): Outage {
	const { beganMs, eventMs, seenMs } = course;
	const meanwhile = requests.filter(({ dueMs }) => dueMs >= beganMs && dueMs < beganMs + whileMs);
	const failed = requests.filter(({ status }) => status !== 200);
	return {
		failed: failed.length,
		broken: failed.filter(({ status }) => status === 502).length,
		late: failed.filter(({ dueMs }) => seenMs === undefined || dueMs > seenMs).length,
		outMs: seenMs === undefined ? undefined : seenMs - eventMs,
		p99: percentile(
			meanwhile.map(({ tookMs }) => tookMs),
			0.99,
		),
	};
}
