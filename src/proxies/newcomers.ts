/**
 * Backends that have only just joined: none of them is worth a reload before it was there for as long as changes settle,
 * since one that listens for a moment would cost two. Pure: time is an argument, in milliseconds of one clock.
 */

import { type Backend, type BackendRef, type DesiredSet, refKey } from "../backends/backend.js";

export interface Grown {
	/** Without those for which it is too early; the very same where there are none. */
	readonly set: DesiredSet;
	/** When all who were left out are old enough, if they stay; undefined when nobody will be. */
	readonly allAtMs: number | undefined;
}

export interface Newcomers {
	/** These came, went or changed. */
	touched(refs: readonly BackendRef[], nowMs: number): void;
	/** @param ageMs how old is old enough */
	grown(set: DesiredSet, nowMs: number, ageMs: number): Grown;
	/** The proxy gets this: whoever is in it is no newcomer any more. */
	handed(set: DesiredSet): void;
	/** When the next one was there for so long; undefined when there is none. */
	dueMs(ageMs: number): number | undefined;
}

/** @param backend the newest word on one; undefined: it is out */
export function createNewcomers(backend: (ref: BackendRef) => Backend | undefined): Newcomers {
	/** Since when each is there; infinite for one that closed again, and stays as the last one alone. */
	const sinceMs = new Map<string, number>();
	let known = new Set<string>();

	return {
		touched(refs, nowMs) {
			for (const ref of refs) {
				const key = refKey(ref);
				const now = backend(ref);
				const since = sinceMs.get(key);
				if (now === undefined) sinceMs.delete(key);
				else if (known.has(key)) continue;
				else if (now.state === "closing") sinceMs.set(key, Number.POSITIVE_INFINITY);
				else if (since === undefined || since === Number.POSITIVE_INFINITY) sinceMs.set(key, nowMs);
			}
		},
		grown(set, nowMs, ageMs) {
			const keys = set.flatMap(({ name, backends }) => backends.map(({ id }) => refKey({ service: name, id })));
			const dueMs = (key: string) => (sinceMs.get(key) ?? Number.NEGATIVE_INFINITY) + ageMs;
			const young = new Map(keys.map((key) => [key, dueMs(key)] as const).filter(([, due]) => due > nowMs));
			if (young.size === 0) return { set, allAtMs: undefined };
			const grown = set.map((service) => {
				const isGrown = ({ id }: Backend) => !young.has(refKey({ service: service.name, id }));
				return { ...service, backends: withoutPreferred(service.backends.filter(isGrown)) };
			});
			return { set: grown, allAtMs: lastOf([...young.values()]) };
		},
		handed(set) {
			known = new Set(set.flatMap(({ name, backends }) => backends.map(({ id }) => refKey({ service: name, id }))));
			for (const key of known) sinceMs.delete(key);
		},
		dueMs(ageMs) {
			const times = [...sinceMs.values()].filter(Number.isFinite);
			return times.length > 0 ? Math.min(...times) + ageMs : undefined;
		},
	};
}

/** Where those that go before others are left out, the others are no backup. */
function withoutPreferred(backends: readonly Backend[]): readonly Backend[] {
	const isLeading = ({ backup, state, weight }: Backend) => !backup && state === "ready" && weight > 0;
	if (backends.some(isLeading)) return backends;
	return backends.map((backend) => (backend.backup ? { ...backend, backup: false } : backend));
}

/** The latest of these times but the infinite ones. */
function lastOf(times: readonly number[]): number | undefined {
	const finite = times.filter(Number.isFinite);
	return finite.length > 0 ? Math.max(...finite) : undefined;
}
