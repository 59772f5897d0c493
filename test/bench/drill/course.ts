/** Whether what an edge did in a fault is what its policy explains: from when servers were out, and from what was so. Pure. */

/** From when to when something was so, in milliseconds; `toMs` is infinite while it is. */
export interface Span {
	readonly fromMs: number;
	toMs: number;
}

/** A server took no new requests. */
export interface Out {
	/** `address:port`. */
	readonly place: string;
	/** When it was seen to be in last, and to be out first. */
	readonly inMs: number;
	readonly outMs: number;
	/** When it was in again; undefined: it was not until the end. */
	backMs: number | undefined;
}

/** What was so, as the drill made it. */
export interface Facts {
	/** In which nobody listened there. */
	closed(place: string): readonly Span[];
	/** In which its host's daemon could tell Redis nothing, though Redis was well. */
	silent(place: string): readonly Span[];
}

/** `closed`: nobody listened. `lease`: its host told nothing for a lease, though it listened. `none`: nothing explains it. */
export type Reason = "closed" | "lease" | "none";

/** A lease is renewed each third of it: silence that is a little shorter than two thirds ends none. */
const SHORTEST = 0.6;

/** @param leaseMs that of all hosts */
export function reasonOf({ place, inMs, outMs }: Out, facts: Facts, leaseMs: number): Reason {
	const meets = ({ fromMs, toMs }: Span, afterMs: number) => fromMs <= outMs && inMs <= toMs + afterMs;
	// what is told while Redis is away is known when it is back
	if (facts.closed(place).some((span) => meets(span, 2 * leaseMs))) return "closed";
	const hasEnded = (span: Span) => Math.min(span.toMs, outMs) - span.fromMs >= SHORTEST * leaseMs;
	return facts.silent(place).some((span) => meets(span, leaseMs) && hasEnded(span)) ? "lease" : "none";
}
