/** What a drill says. Pure. */

import { beside, type Figure } from "../figure.js";
import { ms, percentile } from "../statistics.js";
import type { Round } from "./drill.js";

/** How long the edge may take until it equals what listens: two leases. */
export const boundMs = (leaseMs: number) => 2 * leaseMs;

export function isGood({ equalMs, seenMs, unexplained, ...round }: Round, leaseMs: number): boolean {
	const isInTime = (time: number | undefined) => time !== undefined && time <= boundMs(leaseMs);
	return isInTime(equalMs) && (!("seenMs" in round) || isInTime(seenMs)) && unexplained.length === 0;
}

/** A row for each kind of fault, and one for what must never be. */
export function figuresOf(rounds: readonly Round[], leaseMs: number): Figure[] {
	const faults = [...new Set(rounds.map(({ fault }) => fault))].sort();
	const unexplained = rounds.flatMap((round) => round.unexplained);
	const outs = rounds.flatMap(({ leaseOutMs }) => leaseOutMs);
	return [
		...faults.map((fault) =>
			rowOf(
				fault,
				rounds.filter((round) => round.fault === fault),
				leaseMs,
			),
		),
		{
			what: "healthy backends that were out, and nothing explains it",
			measured: String(unexplained.length),
			goal: "0",
			met: unexplained.length === 0,
		},
		beside(
			"– out since their host told nothing for a lease",
			outs.length === 0
				? "0"
				: `${outs.length}, for ${ms(percentile(outs, 0.5))} (p50), ${ms(Math.max(...outs))} at most`,
		),
	];
}

function rowOf(fault: string, rounds: readonly Round[], leaseMs: number): Figure {
	const times = rounds.flatMap(({ equalMs = Number.POSITIVE_INFINITY, ...round }) =>
		"seenMs" in round ? [equalMs, round.seenMs ?? Number.POSITIVE_INFINITY] : [equalMs],
	);
	return {
		what: `${fault}, ${rounds.length} times`,
		measured: `${ms(percentile(times, 0.5))}, ${ms(Math.max(...times))} at most`,
		goal: `≤ ${ms(boundMs(leaseMs))}`,
		met: Math.max(...times) <= boundMs(leaseMs),
	};
}
