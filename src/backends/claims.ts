/**
 * Who leads where: the endpoints behind each backend, both ways round. Pure bookkeeping; what follows from it is decided
 * in the pools.
 */

import type { EndpointKey } from "../listeners/ids.js";
import { ADOPTED_NETNS, type Backend, type BackendId, type BackendRef, type Hold } from "./backend.js";
import type { Gate, Question } from "./gate.js";
import type { Told } from "./stopping.js";
import type { Stuck } from "./stuck.js";

/** An endpoint leads to a backend. */
export interface Claim {
	readonly backend: Backend;
	/** Set when its processes were told to stop, or its host says goodbye; `atMs` in the clock of the pools. */
	readonly told?: (Told & { readonly atMs: number; readonly isGoodbye?: boolean }) | undefined;
	/** Set while it listens and can't serve. */
	readonly stuck?: Stuck | undefined;
	/** A person's word on its own host. */
	readonly held?: Hold["state"] | undefined;
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
	/** Those of this host, or those of others, that wait since before then. */
	withheldBefore(ms: number, local: boolean): Standing[];
}

/** Is told of each claim that comes or goes. */
export type OnClaim = (standing: Standing, is: "in" | "out") => void;

export function createClaims(onClaim: OnClaim = () => {}): Claims {
	const byEndpoint = new Map<EndpointKey, readonly Standing[]>();
	const byService = new Map<string, Map<BackendId, readonly Standing[]>>();
	const withheld = new Map<Standing, number>();

	const remove = (standing: Standing) => {
		withheld.delete(standing);
		const { service, id, endpoint } = standing.backend;
		const byId = byService.get(service);
		if (byId !== undefined) takeFrom(byId, id, standing);
		if (byId?.size === 0) byService.delete(service);
		takeFrom(byEndpoint, endpoint, standing);
		onClaim(standing, "out");
	};

	const all = ({ service, id }: BackendRef) => byService.get(service)?.get(id) ?? NONE;

	return {
		of: (endpoint) => byEndpoint.get(endpoint) ?? NONE,
		to(ref) {
			const there = all(ref);
			if (there.every(isLive)) return there;
			const live = there.filter(isLive);
			return live.length > 0 ? live : there;
		},
		all,
		isOpen: (ref) => all(ref).some((standing) => isLive(standing) && standing.gate === undefined),
		has: (standing) => byEndpoint.get(standing.backend.endpoint)?.includes(standing) === true,
		put(claim) {
			const { service, id, endpoint } = claim.backend;
			for (const standing of all(claim.backend)) {
				if (standing.backend.endpoint === endpoint || standing.leaving !== undefined) remove(standing);
			}
			const standing: Standing = { ...claim };
			const byId = byService.get(service) ?? new Map<BackendId, readonly Standing[]>();
			byService.set(service, byId);
			// nearly always it is the only one in either, and they share the list
			const alone = [standing];
			addTo(byId, id, alone);
			addTo(byEndpoint, endpoint, alone);
			onClaim(standing, "in");
		},
		remove,
		withhold(standing, nowMs) {
			withheld.set(standing, nowMs);
		},
		withheldBefore: (ms, local) =>
			[...withheld]
				.filter(([{ backend }, sinceMs]) => sinceMs < ms && backend.local === local)
				.map(([standing]) => standing),
	};
}

const NONE: readonly Standing[] = [];

const isLive = ({ leaving }: Standing): boolean => leaving === undefined;

/** Lists are replaced, not changed: whoever walks through one may put in and take out meanwhile. */
function addTo<K>(lists: Map<K, readonly Standing[]>, key: K, added: readonly Standing[]): void {
	const before = lists.get(key);
	lists.set(key, before === undefined ? added : [...before, ...added]);
}

function takeFrom<K>(lists: Map<K, readonly Standing[]>, key: K, standing: Standing): void {
	const left = lists.get(key)?.filter((other) => other !== standing);
	if (left === undefined || left.length === 0) lists.delete(key);
	else lists.set(key, left);
}

/**
 * True when two namespaces lead to the same address: nobody knows which one answers. One that was adopted may be in any
 * of them.
 */
export function isContested(standings: readonly Standing[]): boolean {
	if (standings.length < 2) return false;
	const [first, ...others] = standings.map(({ backend }) => backend.netns).filter((netns) => netns !== ADOPTED_NETNS);
	return others.some((netns) => netns !== first);
}

/** Those before which no gate is shut. */
export function letIn(standings: readonly Standing[]): readonly Standing[] {
	const isLetIn = ({ gate }: Standing) => gate === undefined;
	return standings.every(isLetIn) ? standings : standings.filter(isLetIn);
}

/** The gate before all of them: one that may still open, where there is one. Undefined while one of them is let in. */
export function gateOf(standings: readonly Standing[]): Gate | undefined {
	if (standings.some(({ gate }) => gate === undefined)) return undefined;
	const gates = standings.flatMap(({ gate = [] }) => gate);
	return gates.find(({ state }) => state === "waiting") ?? gates[0];
}

/** When the last of all that lead to a backend was told to stop; undefined while one was not. */
export const toldOf = (standings: readonly Standing[]): Claim["told"] => lastOfAll(standings.map(({ told }) => told));

/** What the last of all that lead to a backend is stuck by; undefined while one can serve. */
export const stuckOfAll = (standings: readonly Standing[]): Claim["stuck"] =>
	lastOfAll(standings.map(({ stuck }) => stuck));

/** What a person said of all that lead to a backend, on their own hosts; undefined while one is not held. */
export const heldOf = (standings: readonly Standing[]): Claim["held"] =>
	standings.every(({ held }) => held !== undefined) ? standings[0]?.held : undefined;

/** The latest, where there is one for each. */
function lastOfAll<T extends { readonly atMs: number }>(all: readonly (T | undefined)[]): T | undefined {
	let last: T | undefined;
	for (const one of all) {
		if (one === undefined) return undefined;
		if (last === undefined || one.atMs > last.atMs) last = one;
	}
	return last;
}
