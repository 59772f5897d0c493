/**
 * How far each host is known: its incarnation, and the number of its last change within that. Decides what a word from the
 * registry is worth: the next step, an old one, or one that can't be told without a read of the host. Nobody goes back:
 * what is older than known, from a restored backup or a copy that was behind, is not taken. Pure.
 */

export interface Version {
	readonly incarnation: number;
	readonly sequence: number;
}

/** What to do about an entry of the stream: `over` after a goodbye of a host that is known. */
export type EntryVerdict = "apply" | "old" | "read" | "over";

/** What to do about a host that was read. `older` than what is known: its own word will correct it. */
export type ReadVerdict = "take" | "same" | "older";

export interface Versions {
	/** An entry of the stream. @param kind `step`: it can be applied to what was before it; `other`: only a read tells */
	entry(host: string, version: Version, kind: "step" | "other" | "bye"): EntryVerdict;
	/**
	 * A host that was read, with a living lease.
	 *
	 * @param leaseMs how long at most its daemon takes to correct what is older than it told: whoever is alive and still
	 * older after that has begun to count anew, and is taken (its number comes from a clock, which was set back)
	 */
	read(host: string, version: Version, nowMs: number, leaseMs: number): ReadVerdict;
	/** What was older than known is not there any more. */
	undoubt(host: string): void;
	/** It is no more; what was known of it is not taken again. */
	gone(host: string): void;
	/** Undefined when it is not known, or gone. */
	of(host: string): Version | undefined;
	/** Hosts that were older than known, long enough ago to be read again. */
	due(nowMs: number): readonly string[];
}

/** So many hosts that are gone are remembered. */
const MAX_GONE = 10_000;

interface Older {
	readonly sinceMs: number;
	readonly leaseMs: number;
}

export function createVersions(): Versions {
	const live = new Map<string, Version>();
	/** The oldest first. */
	const gone = new Map<string, Version>();
	const older = new Map<string, Older>();

	const take = (host: string, version: Version) => {
		older.delete(host);
		gone.delete(host);
		live.set(host, version);
	};
	const bury = (host: string, version: Version) => {
		older.delete(host);
		live.delete(host);
		gone.delete(host);
		gone.set(host, version);
		for (const oldest of gone.keys()) {
			if (gone.size <= MAX_GONE) break;
			gone.delete(oldest);
		}
	};

	return {
		entry(host, version, kind) {
			const known = live.get(host);
			const last = known ?? gone.get(host);
			if (last !== undefined && compare(version, last) <= 0) return "old";
			if (kind === "bye") {
				bury(host, version);
				return known === undefined ? "old" : "over";
			}
			if (kind === "other" || known === undefined || !follows(version, known)) return "read";
			take(host, version);
			return "apply";
		},
		read(host, version, nowMs, leaseMs) {
			const known = live.get(host);
			const last = known ?? gone.get(host);
			const order = last === undefined ? 1 : compare(version, last);
			if (order === 0 && known !== undefined) {
				older.delete(host);
				return "same";
			}
			if (order < 0) {
				const since = older.get(host) ?? { sinceMs: nowMs, leaseMs };
				if (nowMs - since.sinceMs < since.leaseMs) {
					older.set(host, since);
					return "older";
				}
			}
			take(host, version);
			return "take";
		},
		gone(host) {
			const known = live.get(host);
			if (known !== undefined) bury(host, known);
		},
		undoubt: (host) => void older.delete(host),
		of: (host) => live.get(host),
		due: (nowMs) => [...older].filter(([, { sinceMs, leaseMs }]) => nowMs - sinceMs >= leaseMs).map(([host]) => host),
	};
}

/** Below zero when `a` is older than `b`. */
const compare = (a: Version, b: Version): number => a.incarnation - b.incarnation || a.sequence - b.sequence;

const follows = (next: Version, known: Version): boolean =>
	next.incarnation === known.incarnation && next.sequence === known.sequence + 1;
