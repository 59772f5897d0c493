/**
 * Whose lease is over, from looks at the registry. Redis' clock may be stepped, and with it go the ends of all leases: so
 * nobody is over by that clock alone. Whoever renews writes a new end within a third of its lease; only one whose end stays
 * what it was for longer, on our own clock and while the registry answers, is over. Pure: time comes with the looks.
 */

/** What one look at the registry found, all at one moment. */
export interface Beat {
	/** When it was asked for and when the answer was here, in milliseconds of our own clock, which does not jump. */
	readonly askedMs: number;
	readonly answeredMs: number;
	/** Redis' own clock, in milliseconds. */
	readonly redisMs: number;
	/** Hosts whose lease is over by that clock → its end. */
	readonly ended: ReadonlyMap<string, number>;
	/** Hosts whose lease ends so far ahead that it may be more than it can be. */
	readonly ahead: ReadonlyMap<string, number>;
	/** All hosts that have a lease, where all were asked for. */
	readonly all?: ReadonlyMap<string, number> | undefined;
}

/** Another host's lease, in milliseconds. */
export interface Leased {
	readonly lease: number;
}

export interface LeaseVerdict {
	/** Gone for sure; `why` is a clause. They are not told again. */
	readonly over: readonly { readonly host: string; readonly why: string }[];
	/** Hosts that have a living lease again, whether they are known or not. */
	readonly back: readonly string[];
}

export interface Leases {
	/** The registry can't be reached, or takes no writes: hosts can't renew. */
	broke(): void;
	/** A look that Redis answered and whose write it took. @param known the hosts that are in the view of the fleet */
	beat(beat: Beat, known: ReadonlyMap<string, Leased>): LeaseVerdict;
	/** Its lease seems to be over, and that is not sure yet. */
	isDoubtful(host: string): boolean;
	/** Somebody is doubtful: the next look has to be at all leases, to tell whether that one renews. */
	readonly wantsAll: boolean;
}

/** More than Redis' clock differs from ours in a second for other reasons than that somebody set it. */
const JUMP_MS = 500;

/**
 * How long an end that is over must stay what it is, as a share of the lease: longer than the third within which a host
 * renews, so that no clock, whatever it does between two looks, makes one look dead that is not.
 */
const UNCHANGED = 0.4;

interface Doubt {
	/** Undefined: it has no lease at all. */
	readonly end: number | undefined;
	/** It ended later than it can. Once it does so no more, a renewal may by chance have given it that very end. */
	readonly isAhead: boolean;
	/** Of our own clock. */
	readonly sinceMs: number;
}

export function createLeases(): Leases {
	const doubts = new Map<string, Doubt>();
	/** Of the last look, known or not. */
	let ended: ReadonlySet<string> = new Set();
	/** Since when the registry answers and its clock goes as ours does; undefined while it does not. */
	let steadySinceMs: number | undefined;
	/** Redis' clock less ours, from and to, as of the last look. */
	let ahead: readonly [from: number, to: number] | undefined;

	const noteClock = ({ askedMs, answeredMs, redisMs }: Beat) => {
		const [from, to] = [redisMs - answeredMs, redisMs - askedMs];
		const jumped = ahead !== undefined && (from > ahead[1] + JUMP_MS || to < ahead[0] - JUMP_MS);
		ahead = [from, to];
		if (jumped || steadySinceMs === undefined) steadySinceMs = answeredMs;
		return steadySinceMs;
	};

	return {
		broke() {
			steadySinceMs = undefined;
			ahead = undefined;
		},
		beat(beat, known) {
			const steadyMs = noteClock(beat);
			const now = suspects(beat, known, doubts);
			const back = [...ended].filter((host) => !beat.ended.has(host));
			for (const [host, { end }] of doubts) {
				if (now.has(host)) continue;
				if (end === undefined) back.push(host);
				doubts.delete(host);
			}
			ended = new Set(beat.ended.keys());

			const over: { host: string; why: string }[] = [];
			for (const [host, { end, lease }] of now) {
				const before = doubts.get(host);
				const isAhead = end !== undefined && isTooFar(end, beat.redisMs, lease);
				const isSame = before !== undefined && before.end === end && before.isAhead === isAhead;
				const doubt = isSame ? before : { end, isAhead, sinceMs: beat.answeredMs };
				const patienceMs = end === undefined ? lease : lease * UNCHANGED;
				if (beat.askedMs - doubt.sinceMs >= patienceMs && beat.askedMs - steadyMs >= lease) {
					doubts.delete(host);
					over.push({ host, why: end === undefined ? "it is in the registry no more" : "its lease ended" });
				} else {
					doubts.set(host, doubt);
				}
			}
			return { over, back };
		},
		isDoubtful: (host) => doubts.has(host),
		get wantsAll() {
			return doubts.size > 0;
		},
	};
}

const isTooFar = (end: number, redisMs: number, lease: number) => end > redisMs + lease + JUMP_MS;

interface Suspect extends Leased {
	readonly end: number | undefined;
}

/** Known hosts whose lease does not look alive, and those who were doubtful and have the same lease as then. */
function suspects(
	{ redisMs, ended, ahead, all }: Beat,
	known: ReadonlyMap<string, Leased>,
	doubts: ReadonlyMap<string, Doubt>,
): Map<string, Suspect> {
	const found = new Map<string, Suspect>();
	const suspect = (host: string, end: number | undefined) => {
		const lease = known.get(host)?.lease;
		if (lease !== undefined) found.set(host, { end, lease });
	};
	for (const [host, end] of ended) suspect(host, end);
	for (const [host, end] of ahead) {
		if (isTooFar(end, redisMs, known.get(host)?.lease ?? 0)) suspect(host, end);
	}
	if (all !== undefined) for (const host of known.keys()) if (!all.has(host)) suspect(host, undefined);
	for (const [host, { end }] of doubts) {
		// With time, what ends too far ahead does so no more: it is the same end, and still nobody renewed it.
		if (!found.has(host) && (all === undefined || all.get(host) === end)) suspect(host, end);
	}
	return found;
}
