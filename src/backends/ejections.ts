/**
 * Who of a service's listening backends is out by judgement, though it listens: weighs what is said of each against all
 * others, so that somebody stays ready. Keeps counts, so that one change among many costs the same as among few. Pure.
 */

import type { BackendId } from "./backend.js";
import { ejectable } from "./guard.js";

/** What is said of one that listens, whatever the others are. Times in milliseconds. */
export type Opinion =
	| { readonly kind: "plain" }
	/** It should go, and waits to be confirmed: in, but nobody relies on it. */
	| { readonly kind: "doubtful" }
	/** By a person, who wins. */
	| { readonly kind: "held" }
	/** It should be held out until then. */
	| { readonly kind: "flapping"; readonly untilMs: number }
	/** It should get no new work, since then and until then. */
	| { readonly kind: "unfit"; readonly sinceMs: number; readonly untilMs: number }
	/** Its host says goodbye: it is to go, and is expected to. */
	| { readonly kind: "goodbye" }
	/** It can't serve since then, and nobody knows for how long: whatever it gets waits. */
	| { readonly kind: "stuck"; readonly sinceMs: number };

/** What comes of it. */
export type Outcome = "ready" | "held" | "drain" | "down" | "out";

export interface Ejections {
	/** Files what is said of a backend; undefined when it no longer listens. */
	file(id: BackendId, opinion: Opinion | undefined): void;
	/**
	 * Decides anew, after what was filed. Those that are stuck go first: the unfit still answer. Of both the first ones do.
	 * Whose host says goodbye goes whatever the share, while another is ready: a person wants it so.
	 *
	 * @param maxEjected share of those that listen, 0 to 1
	 * @returns those for which it came out differently than before
	 */
	weigh(maxEjected: number): readonly BackendId[];
	opinion(id: BackendId): Opinion | undefined;
	/** As of the last `weigh`; undefined when it does not listen. */
	outcome(id: BackendId): Outcome | undefined;
	/** Those whose time may be over, with the time. */
	timed(): Iterable<readonly [BackendId, number]>;
	/** How many listen, and how many of them are ready beyond doubt. */
	readonly listening: number;
	readonly ready: number;
}

type Unfit = Extract<Opinion, { readonly kind: "unfit" | "stuck" }>;

export function createEjections(): Ejections {
	const opinions = new Map<BackendId, Opinion>();
	const flapping = new Map<BackendId, number>();
	/** The stuck and the unfit, in the order in which they go while `isSorted`. */
	let unfit = new Map<BackendId, Unfit>();
	let isSorted = true;
	/** Those whose hosts say goodbye. */
	const leaving = new Set<BackendId>();
	let last: Unfit | undefined;
	let held = 0;
	let doubtful = 0;
	let ejected: ReadonlySet<BackendId> = new Set();
	/** Whether the unfit differ from when it was last weighed. */
	let isStale = false;
	/** Whether those that flap are out: while somebody else is there about whom nothing is said. */
	let isFlappingOut = false;

	const plain = () => opinions.size - held - doubtful - flapping.size - unfit.size - leaving.size;

	const unfile = (id: BackendId) => {
		const opinion = opinions.get(id);
		if (opinion?.kind === "held") held--;
		if (opinion?.kind === "doubtful") doubtful--;
		flapping.delete(id);
		if (unfit.delete(id) || leaving.delete(id)) isStale = true;
		opinions.delete(id);
	};

	const fileUnfit = (id: BackendId, opinion: Unfit) => {
		unfit.set(id, opinion);
		isStale = true;
		if (last !== undefined && inOrder(opinion, last) < 0) isSorted = false;
		else last = opinion;
	};

	const sort = () => {
		if (isSorted) return;
		unfit = new Map([...unfit].sort(([, a], [, b]) => inOrder(a, b)));
		isSorted = true;
	};

	return {
		file(id, opinion) {
			const before = opinions.get(id);
			if (sameOpinion(before, opinion)) return;
			if (before !== undefined) unfile(id);
			if (opinion === undefined) return;
			opinions.set(id, opinion);
			if (opinion.kind === "held") held++;
			else if (opinion.kind === "doubtful") doubtful++;
			else if (opinion.kind === "flapping") flapping.set(id, opinion.untilMs);
			else if (opinion.kind === "goodbye") {
				leaving.add(id);
				isStale = true;
			} else if (opinion.kind === "unfit" || opinion.kind === "stuck") fileUnfit(id, opinion);
		},
		weigh(maxEjected) {
			const changed: BackendId[] = [];
			const areOut = plain() > 0;
			if (areOut !== isFlappingOut) changed.push(...flapping.keys());
			isFlappingOut = areOut;
			const flappingOut = areOut ? flapping.size : 0;
			const others = plain() + flapping.size - flappingOut;
			const count = ejectable(unfit.size, opinions.size, others + leaving.size, maxEjected, flappingOut);
			const isAnyReady = others + unfit.size - count > 0;
			const gone = isAnyReady ? leaving.size : Math.max(0, leaving.size - 1);
			if (isStale || count + gone !== ejected.size) {
				sort();
				const before = ejected;
				ejected = new Set([...firstOf(unfit.keys(), count), ...firstOf(leaving, gone)]);
				for (const id of before) if (!ejected.has(id)) changed.push(id);
				for (const id of ejected) if (!before.has(id)) changed.push(id);
				isStale = false;
			}
			return changed;
		},
		opinion: (id) => opinions.get(id),
		outcome(id) {
			const kind = opinions.get(id)?.kind;
			if (kind === undefined || kind === "held") return kind;
			if (kind === "flapping" && isFlappingOut) return "out";
			if (!ejected.has(id)) return "ready";
			return kind === "stuck" ? "down" : "drain";
		},
		*timed() {
			yield* flapping;
			for (const [id, opinion] of unfit) if (opinion.kind === "unfit") yield [id, opinion.untilMs];
		},
		get listening() {
			return opinions.size;
		},
		get ready() {
			return opinions.size - held - doubtful - ejected.size - (isFlappingOut ? flapping.size : 0);
		},
	};
}

/** Who goes first: see `weigh`. */
const inOrder = (a: Unfit, b: Unfit): number =>
	a.kind === b.kind ? a.sinceMs - b.sinceMs : a.kind === "stuck" ? -1 : 1;

function* firstOf<T>(all: Iterable<T>, count: number): Generator<T, undefined> {
	let left = count;
	if (left <= 0) return;
	for (const one of all) {
		yield one;
		if (--left === 0) return;
	}
}

function sameOpinion(a: Opinion | undefined, b: Opinion | undefined): boolean {
	if (a === undefined || b === undefined || a.kind !== b.kind) return a === b;
	if (a.kind === "unfit" && b.kind === "unfit") return a.sinceMs === b.sinceMs && a.untilMs === b.untilMs;
	if (a.kind === "stuck" && b.kind === "stuck") return a.sinceMs === b.sinceMs;
	if (a.kind === "flapping" && b.kind === "flapping") return a.untilMs === b.untilMs;
	return true;
}
