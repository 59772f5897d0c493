/**
 * The pools: services with their backends, kept up as endpoints come and go. Decides who is in (one address from two
 * namespaces joins from neither) and how long the last one stays. Pure: time is an argument.
 */

import type { ServiceConfig } from "../config/schema.js";
import type { Identity } from "../identity/identity.js";
import type { EndpointKey } from "../listeners/ids.js";
import type { Backend, BackendId, DesiredSet } from "./backend.js";

/** Whether the pools differ from before, and whether somebody left. */
export interface PoolChange {
	readonly changed: boolean;
	readonly removal: boolean;
}

export interface Pools {
	/** Puts in an endpoint's backends, one a service, in place of those it had. */
	set(endpoint: EndpointKey, backends: readonly Backend[], nowMs: number): PoolChange;
	/** The endpoint closed: its backends go, but the last one of a service stays for `lastGrace`. */
	close(endpoint: EndpointKey, nowMs: number): PoolChange;
	/** Lets go of those whose grace is over. */
	expire(nowMs: number): PoolChange;
	/** Those that closed as the last ones, and until when they stay. */
	closing(): Closing[];
	/** Takes over those of earlier pools, where a service would be left empty. */
	keep(closing: readonly Closing[]): void;
	/** When `expire` is next due, in the clock of `nowMs`; undefined when nobody waits. */
	readonly nextExpiryMs: number | undefined;
	/** True when another namespace claims the same address and port in this service. */
	isContested(backend: Backend): boolean;
	/** All endpoints that lead to this address and port in this service. */
	endpointsOf(backend: Backend): EndpointKey[];
	desired(): DesiredSet;
}

/** A backend that closed as the last one of its service. */
export interface Closing {
	readonly backend: Backend;
	readonly untilMs: number;
}

interface Pool {
	readonly service: ServiceConfig;
	/** By id, then by endpoint: `0.0.0.0:80` and `10.0.0.1:80` of one namespace are one backend. */
	readonly ready: Map<BackendId, Map<EndpointKey, Backend>>;
	readonly closing: Map<BackendId, Closing>;
}

const UNCHANGED: PoolChange = { changed: false, removal: false };

/** Empty pools of the configured services. */
export function createPools(services: Readonly<Record<string, ServiceConfig>>): Pools {
	const pools = new Map<string, Pool>(
		Object.entries(services).map(([name, service]) => [name, { service, ready: new Map(), closing: new Map() }]),
	);
	const byEndpoint = new Map<EndpointKey, readonly Backend[]>();

	const take = (endpoint: EndpointKey): readonly Backend[] => {
		const backends = byEndpoint.get(endpoint) ?? [];
		byEndpoint.delete(endpoint);
		for (const { service, id } of backends) {
			const claims = pools.get(service)?.ready.get(id);
			claims?.delete(endpoint);
			if (claims?.size === 0) pools.get(service)?.ready.delete(id);
		}
		return backends;
	};

	const put = (endpoint: EndpointKey, backends: readonly Backend[]) => {
		for (const backend of backends) {
			const pool = pools.get(backend.service);
			if (pool === undefined) continue;
			const claims = pool.ready.get(backend.id) ?? new Map<EndpointKey, Backend>();
			pool.ready.set(backend.id, claims.set(endpoint, backend));
			// Whoever serves now, a closed one is no longer needed.
			if (!contested(claims)) pool.closing.clear();
		}
		if (backends.length > 0) byEndpoint.set(endpoint, backends);
	};

	return {
		set(endpoint, backends, nowMs) {
			const had = byEndpoint.get(endpoint) ?? [];
			if (sameBackends(had, backends)) return UNCHANGED;
			const left = had.some(({ service, id }) => !backends.some((one) => one.service === service && one.id === id));
			take(endpoint);
			put(endpoint, backends);
			keepLast(pools, had, nowMs);
			return { changed: true, removal: left };
		},
		close(endpoint, nowMs) {
			const gone = take(endpoint);
			keepLast(pools, gone, nowMs);
			return gone.length > 0 ? { changed: true, removal: true } : UNCHANGED;
		},
		expire(nowMs) {
			let changed = false;
			for (const { closing } of pools.values()) {
				for (const [id, { untilMs }] of closing) {
					if (untilMs > nowMs) continue;
					closing.delete(id);
					changed = true;
				}
			}
			return { changed, removal: changed };
		},
		closing: () => [...pools.values()].flatMap(({ closing }) => [...closing.values()]),
		keep(closing) {
			for (const { backend, untilMs } of closing) {
				const pool = pools.get(backend.service);
				if (pool === undefined || !members(pool).next().done) continue;
				pool.closing.set(backend.id, { backend: { ...backend, weight: pool.service.weight }, untilMs });
			}
		},
		get nextExpiryMs() {
			const times = [...pools.values()].flatMap(({ closing }) => [...closing.values()].map(({ untilMs }) => untilMs));
			return times.length > 0 ? Math.min(...times) : undefined;
		},
		isContested(backend) {
			const claims = pools.get(backend.service)?.ready.get(backend.id);
			return claims !== undefined && contested(claims);
		},
		endpointsOf: ({ service, id }) => [...(pools.get(service)?.ready.get(id)?.keys() ?? [])],
		desired: () =>
			[...pools]
				.sort(([a], [b]) => compare(a, b))
				.map(([name, pool]) => ({
					name,
					mode: pool.service.mode,
					balance: pool.service.balance,
					hosts: pool.service.hosts,
					options: pool.service.options,
					backends: [...members(pool), ...[...pool.closing.values()].map(({ backend }) => backend)].sort((a, b) =>
						compare(a.id, b.id),
					),
				})),
	};

	/** Where a service would be left empty, its backends that just closed stay for `lastGrace`. */
	function keepLast(all: ReadonlyMap<string, Pool>, gone: readonly Backend[], nowMs: number): void {
		for (const backend of gone) {
			const pool = all.get(backend.service);
			if (pool === undefined || pool.service.lastGrace === 0) continue;
			if (pool.ready.has(backend.id) || !members(pool).next().done) continue;
			const untilMs = nowMs + pool.service.lastGrace;
			pool.closing.set(backend.id, { backend: { ...backend, state: "closing" }, untilMs });
		}
	}
}

/** The backends that are in: each id once, and only where one namespace claims it. */
function* members({ ready }: Pool): Generator<Backend, undefined> {
	for (const claims of ready.values()) {
		const [first] = claims.values();
		if (first !== undefined && !contested(claims)) yield first;
	}
}

function contested(claims: ReadonlyMap<EndpointKey, Backend>): boolean {
	return new Set([...claims.values()].map(({ netns }) => netns)).size > 1;
}

function sameBackends(a: readonly Backend[], b: readonly Backend[]): boolean {
	return (
		a.length === b.length &&
		a.every((one, i) => {
			const other = b[i];
			return (
				one.id === other?.id &&
				one.service === other.service &&
				one.weight === other.weight &&
				sameIdentity(one.identity, other.identity)
			);
		})
	);
}

/** What templates may show of it. */
function sameIdentity(a: Identity, b: Identity): boolean {
	const shown = ({ comm, hostname, cgroup, unit, container, netnsName }: Identity) =>
		[comm, hostname, cgroup, unit, container, netnsName].join("\n");
	return shown(a) === shown(b);
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
