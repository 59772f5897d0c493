/**
 * Who leads where: the endpoints behind each backend, both ways round. Pure bookkeeping; what follows from it is decided
 * in the pools.
 */

import type { EndpointKey } from "../listeners/ids.js";
import { ADOPTED_NETNS, type Backend, type BackendRef, refKey } from "./backend.js";
import type { Gate, Question } from "./gate.js";
import type { Told } from "./stopping.js";
import type { Stuck } from "./stuck.js";

/** An endpoint leads to a backend. */
export interface Claim {
	readonly backend: Backend;
	/** Set when its processes were told to stop; `atMs` in the clock of the pools. */
	readonly told?: (Told & { readonly atMs: number }) | undefined;
	/** Set while it listens and can't serve. */
	readonly stuck?: Stuck | undefined;
	/** What it has to answer before it joins; nothing where this is undefined. */
	readonly asks?: Question | undefined;
	/** Set while it has not answered. */
	readonly gate?: Gate | undefined;
}

/** A claim that was put in, until it is taken out. */
export interface Standing extends Claim {
	/** Set when it should go and nobody said that it closed. */
	leaving?: Leaving;
}

export interface Leaving {
	/** A clause for people. */
	readonly why: string;
	/** Other rules say so: it is wanted no more, so that it does not stay as the last one either. */
	readonly byRule: boolean;
}

export interface Claims {
	/** What an endpoint leads to. */
	of(endpoint: EndpointKey): readonly Standing[];
	/** What leads to a backend; those that listen alone, unless none does. */
	to(ref: BackendRef): readonly Standing[];
	/** The same, with those that are leaving. */
	all(ref: BackendRef): readonly Standing[];
	/** Whether one that listens leads there, and is let in. */
	isOpen(ref: BackendRef): boolean;
	has(standing: Standing): boolean;
	/** In place of what the endpoint had there, and of those that were leaving. */
	put(claim: Claim): void;
	remove(standing: Standing): void;
	/** Lets one that is leaving wait. */
	withhold(standing: Standing, nowMs: number): void;
	/** Those that wait since before then. */
	withheldBefore(ms: number): Standing[];
}

export function createClaims(): Claims {
	const byEndpoint = new Map<EndpointKey, Set<Standing>>();
	const byBackend = new Map<string, Map<EndpointKey, Standing>>();
	const withheld = new Map<Standing, number>();

	const remove = (standing: Standing) => {
		withheld.delete(standing);
		const { endpoint } = standing.backend;
		const key = refKey(standing.backend);
		const there = byBackend.get(key);
		if (there?.get(endpoint) === standing) there.delete(endpoint);
		if (there?.size === 0) byBackend.delete(key);
		const had = byEndpoint.get(endpoint);
		had?.delete(standing);
		if (had?.size === 0) byEndpoint.delete(endpoint);
	};

	const all = (ref: BackendRef) => [...(byBackend.get(refKey(ref))?.values() ?? [])];

	return {
		of: (endpoint) => [...(byEndpoint.get(endpoint) ?? [])],
		to(ref) {
			const there = all(ref);
			const live = there.filter(({ leaving }) => leaving === undefined);
			return live.length > 0 ? live : there;
		},
		all,
		isOpen: (ref) => letIn(all(ref)).some(({ leaving }) => leaving === undefined),
		has: (standing) => byEndpoint.get(standing.backend.endpoint)?.has(standing) === true,
		put(claim) {
			const { endpoint } = claim.backend;
			const key = refKey(claim.backend);
			for (const standing of all(claim.backend)) {
				if (standing.backend.endpoint === endpoint || standing.leaving !== undefined) remove(standing);
			}
			const standing: Standing = { ...claim };
			byBackend.set(key, (byBackend.get(key) ?? new Map<EndpointKey, Standing>()).set(endpoint, standing));
			byEndpoint.set(endpoint, (byEndpoint.get(endpoint) ?? new Set<Standing>()).add(standing));
		},
		remove,
		withhold(standing, nowMs) {
			withheld.set(standing, nowMs);
		},
		withheldBefore: (ms) => [...withheld].filter(([, sinceMs]) => sinceMs < ms).map(([standing]) => standing),
	};
}

/**
 * True when two namespaces lead to the same address: nobody knows which one answers. One that was adopted may be in any
 * of them.
 */
export function isContested(standings: readonly Standing[]): boolean {
	const [first, ...others] = standings.map(({ backend }) => backend.netns).filter((netns) => netns !== ADOPTED_NETNS);
	return others.some((netns) => netns !== first);
}

/** Those before which no gate is shut. */
export function letIn(standings: readonly Standing[]): readonly Standing[] {
	return standings.filter(({ gate }) => gate === undefined);
}

/** The gate before all of them: one that may still open, where there is one. Undefined while one of them is let in. */
export function gateOf(standings: readonly Standing[]): Gate | undefined {
	if (letIn(standings).length > 0) return undefined;
	const gates = standings.flatMap(({ gate = [] }) => gate);
	return gates.find(({ state }) => state === "waiting") ?? gates[0];
}

/** When the last of all that lead to a backend was told to stop; undefined while one was not. */
export const toldOf = (standings: readonly Standing[]): Claim["told"] => lastOfAll(standings.map(({ told }) => told));

/** What the last of all that lead to a backend is stuck by; undefined while one can serve. */
export const stuckOfAll = (standings: readonly Standing[]): Claim["stuck"] =>
	lastOfAll(standings.map(({ stuck }) => stuck));

/** The latest, where there is one for each. */
function lastOfAll<T extends { readonly atMs: number }>(all: readonly (T | undefined)[]): T | undefined {
	let last: T | undefined;
	for (const one of all) {
		if (one === undefined) return undefined;
		if (last === undefined || one.atMs > last.atMs) last = one;
	}
	return last;
}
