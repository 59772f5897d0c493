/**
 * What happened to each endpoint lately: its last changes, as values that are put into words when somebody asks, kept for
 * some time after it closed. Bounded. Pure; knows nothing of how a change is found out, nor how it is told.
 */

import type { BackendId, BackendState } from "../backends/backend.js";
import type { Verdict } from "../backends/judge.js";
import type { ContainerLookup } from "../identity/container.js";
import type { Addresses, Identity } from "../identity/identity.js";
import type { PausedBy } from "../listeners/event.js";
import type { EndpointKey } from "../listeners/ids.js";

/** Something that happened to an endpoint. */
export type Happening =
	/** `verdict` is absent where it is in a pool and ready, and where no rule matches it. */
	| ({ readonly kind: "listened"; readonly verdict?: Verdict; readonly isUnmatched: boolean } & Sockets)
	/** Others of its sockets serve it, or one listened again. */
	| ({ readonly kind: "sockets" } & Sockets)
	| { readonly kind: "closed"; readonly how: "event" | "read" }
	| { readonly kind: "verdict"; readonly from: Verdict; readonly to: Verdict }
	| { readonly kind: "addresses"; readonly from: Addresses; readonly to: Addresses }
	| { readonly kind: "container"; readonly to: ContainerLookup }
	/** Number of the signal. */
	| { readonly kind: "stopping"; readonly signal: number }
	/** All its processes were kept from running; or one of them no longer was. */
	| { readonly kind: "paused"; readonly by: PausedBy }
	| { readonly kind: "resumed" }
	/** It accepted nothing; or something again. */
	| { readonly kind: "hung"; readonly queued: number }
	| { readonly kind: "accepting" }
	/** What became of a backend that it leads to; `gone`: it is no more. */
	| {
			readonly kind: "backend";
			readonly service: string;
			readonly id: BackendId;
			readonly state: BackendState | "out" | "gone";
			readonly held: boolean;
			readonly reason: string;
	  };

/** Who serves an endpoint: the socket that listens longest, and how many there are. */
export interface Sockets {
	readonly pid: number;
	readonly comm: string;
	readonly backlog: number;
	readonly count: number;
}

/** When, in milliseconds of the pipeline's clock. */
export type Change = Happening & { readonly atMs: number };

/** A backend, as it is named to people. */
interface Place {
	readonly service: string;
	readonly id: string;
}

/** A change of what became of a backend. */
export type BackendChange = Extract<Change, { readonly kind: "backend" }>;

/** What is remembered of an endpoint that closed: enough to find it again. */
export interface Departed {
	readonly key: EndpointKey;
	readonly address: string;
	readonly port: number;
	readonly pid: number;
	readonly identity: Identity;
	/** What it led to. */
	readonly backends: readonly { readonly service: string; readonly id: BackendId }[];
	/** Since when it listened, and when it was known to have closed, in milliseconds of the pipeline's clock. */
	readonly sinceMs: number;
	readonly closedMs: number;
}

export interface History {
	/**
	 * Adds a change, at its place in time.
	 *
	 * @param isUnmatched no rule matches the endpoint: it is remembered apart, so that ports that come and go by the
	 * thousand push nobody out whom a service wants
	 */
	record(key: EndpointKey, change: Change, isUnmatched?: boolean): void;
	/** The same of a backend that no endpoint here leads to, such as another host's: remembered apart, too. */
	recordElsewhere(place: Place, change: Change): void;
	/** Remembers one that closed; forgotten when it listens again. */
	depart(departed: Departed, isUnmatched?: boolean): void;
	/** Its last changes, the oldest first. */
	of(key: EndpointKey): readonly Change[];
	elsewhere(place: Place): readonly Change[];
	/** The last change of each of those that are no more. */
	goneElsewhere(): BackendChange[];
	/** Those that closed and did not come back, as far as they are remembered. */
	departed(): Departed[];
	/** All changes from then on, of whomever, in no order. */
	since(ms: number): Change[];
}

/** How much is remembered. */
export interface HistoryLimits {
	/** Changes of one endpoint. */
	readonly changes: number;
	/** Endpoints: those that changed last. */
	readonly endpoints: number;
	/** Changes of all of them together. */
	readonly total: number;
}

/** Full, they take 4 to 7 MB, and where there are other hosts up to 2 MB more. */
const LIMITS = {
	matched: { changes: 20, endpoints: 4096, total: 20_000 },
	unmatched: { changes: 20, endpoints: 1024, total: 4096 },
	elsewhere: { changes: 20, endpoints: 2048, total: 8192 },
} as const;

/** An empty history. */
export function createHistory(limits: Record<keyof typeof LIMITS, HistoryLimits> = LIMITS): History {
	const matched = createStore<EndpointKey>(limits.matched);
	const unmatched = createStore<EndpointKey>(limits.unmatched);
	const elsewhere = createStore<string>(limits.elsewhere);
	const storeOf = (isUnmatched: boolean) => (isUnmatched ? unmatched : matched);
	return {
		record(key, change, isUnmatched = false) {
			if (change.kind === "listened") storeOf(!isUnmatched).isBack(key);
			storeOf(isUnmatched).record(key, change);
		},
		recordElsewhere: (place, change) => elsewhere.record(nameOf(place), change),
		elsewhere: (place) => elsewhere.of(nameOf(place)),
		goneElsewhere: () => elsewhere.last().filter(isGone),
		depart: (departed, isUnmatched = false) => storeOf(isUnmatched).depart(departed),
		// other rules may have made it another's
		of: (key) =>
			[...matched.of(key), ...unmatched.of(key)]
				.sort((a, b) => a.atMs - b.atMs)
				.slice(-Math.max(limits.matched.changes, limits.unmatched.changes)),
		departed: () => [...matched.departed(), ...unmatched.departed()],
		since: (ms) => [...matched.since(ms), ...unmatched.since(ms)],
	};
}

const nameOf = ({ service, id }: Place) => `${service}/${id}`;

const isGone = (change: Change): change is BackendChange => change.kind === "backend" && change.state === "gone";

interface Entry {
	/** In the order of time. */
	readonly changes: Change[];
	departed: Departed | undefined;
}

function createStore<Key extends string>(limits: HistoryLimits) {
	/** The one that changed last comes last. */
	const entries = new Map<Key, Entry>();
	let total = 0;

	/** The entry, which counts as changed last. */
	const renew = (key: Key): Entry => {
		const entry = entries.get(key) ?? { changes: [], departed: undefined };
		entries.delete(key);
		entries.set(key, entry);
		return entry;
	};

	const forgetOldest = () => {
		for (const [key, { changes }] of entries) {
			if (entries.size <= limits.endpoints && total <= limits.total) return;
			entries.delete(key);
			total -= changes.length;
		}
	};

	const isBack = (key: Key) => {
		const entry = entries.get(key);
		if (entry !== undefined) entry.departed = undefined;
	};

	return {
		isBack,
		record(key: Key, change: Change) {
			const { changes } = renew(key);
			if (change.kind === "listened") isBack(key);
			let at = changes.length;
			while (at > 0 && (changes[at - 1]?.atMs ?? 0) > change.atMs) at--;
			// a prefork server that starts says only how it ends up
			const replaces = change.kind === "sockets" && changes[at - 1]?.kind === "sockets";
			changes.splice(replaces ? at - 1 : at, replaces ? 1 : 0, change);
			if (!replaces) total++;
			if (changes.length > limits.changes) {
				changes.shift();
				total--;
			}
			forgetOldest();
		},
		depart(departed: Departed & { readonly key: Key }) {
			renew(departed.key).departed = departed;
			forgetOldest();
		},
		of: (key: Key): readonly Change[] => entries.get(key)?.changes ?? [],
		last: (): Change[] => [...entries.values()].flatMap(({ changes }) => changes.at(-1) ?? []),
		departed: () => [...entries.values()].flatMap(({ departed }) => departed ?? []),
		since: (ms: number) => [...entries.values()].flatMap(({ changes }) => changes.filter(({ atMs }) => atMs >= ms)),
	};
}
