/**
 * The pools: all services with their backends, kept up as endpoints come and go. A step puts in and takes out; its end,
 * `commit`, works out what follows for the desired set. Pure: time is an argument.
 */

import type { EndpointKey } from "../listeners/ids.js";
import {
	ADOPTED_NETNS,
	type Backend,
	type BackendRef,
	type DesiredSet,
	type Hold,
	refKey,
	sameBackend,
} from "./backend.js";
import { type Claim, createClaims, letIn, type OnClaim, type Standing } from "./claims.js";
import { createFlapping } from "./flapping.js";
import { createPool, type Pool, type PoolChange, type PoolContext, type PoolRules } from "./pool.js";
import type { BackendStatus, ServiceStatus } from "./status.js";
import { sameStuck } from "./stuck.js";

/** A step is any of these, then `commit`. Times are milliseconds of one clock. */
export interface Pools {
	/**
	 * Puts in what an endpoint leads to, in place of what it led to before.
	 *
	 * @param why why it should no longer lead to what is not named again, as a clause
	 */
	set(endpoint: EndpointKey, claims: readonly Claim[], why: string, nowMs: number): void;
	/** The kernel said that the endpoint closed. */
	close(endpoint: EndpointKey, nowMs: number): void;
	/** Takes out an endpoint that is known to be gone; does not count as a close. */
	drop(endpoint: EndpointKey): void;
	hold(hold: Hold): void;
	/** False when nobody held it. */
	release(ref: BackendRef): boolean;
	/** Ends what is over by now. */
	expire(nowMs: number): void;
	/** The endpoints of this host that wait since before then to be confirmed. */
	withheldBefore(ms: number): EndpointKey[];
	/** Lets those go that wait since before then: those of this host, or where `local` is false, those of others. */
	confirm(ms: number, local?: boolean): void;
	/** Goes on by other rules. A service that is no longer there goes with its backends. */
	reconfigure(rules: PoolRules): void;
	/**
	 * Ends the step: works out what follows.
	 *
	 * @param waitsSinceMs since when those wait that are to be confirmed, where time stands still otherwise
	 */
	commit(nowMs: number, waitsSinceMs?: number): PoolChange;
	/** When `expire` has something to do, or earlier; undefined when nothing ends by itself. */
	readonly dueMs: number | undefined;
	holds(): readonly Hold[];
	holdOf(ref: BackendRef): Hold | undefined;
	/** Whether another endpoint leads to this address and port in this service. */
	hasOthers(backend: Backend): boolean;
	/** Whether the endpoint is let in there already, or a proxy has the backend from an earlier run. */
	isLetIn(backend: Backend): boolean;
	/** What is desired of one backend, as of the last commit. */
	backend(ref: BackendRef): Backend | undefined;
	desired(): DesiredSet;
	/** What an endpoint leads to where no gate is shut before it, also while it waits to be confirmed that it is gone. */
	leads(endpoint: EndpointKey): readonly Claim[];
	/** The endpoints of this host that lead to a backend. */
	endpointsOf(ref: BackendRef): readonly EndpointKey[];
	/** Whether anything listens for a service, or stays in one. */
	readonly isEmpty: boolean;
	/** Undefined when nothing is known of it. */
	statusOf(ref: BackendRef, nowMs: number): BackendStatus | undefined;
	/** The same as it is now, put in words once it is called. */
	statusAsOf(ref: BackendRef, nowMs: number): (() => BackendStatus) | undefined;
	status(nowMs: number): readonly ServiceStatus[];
}

/**
 * Empty pools of the configured services.
 *
 * @param heldBefore what a person said before
 * @param onClaim is told of each claim that comes or goes, in the middle of a step
 */
export function createPools(rules: PoolRules, heldBefore: readonly Hold[] = [], onClaim?: OnClaim): Pools {
	const claims = createClaims(onClaim);
	const flapping = createFlapping(rules.flap);
	const holds = new Map(heldBefore.map((hold) => [refKey(hold), hold]));
	const context: PoolContext = { rules, claims, flapping, holds };
	const pools = new Map<string, Pool>();
	/** Those that this step concerns. */
	const dirty = new Set<Pool>();
	let dueMs = Number.POSITIVE_INFINITY;
	/** Whether this step is about other rules. */
	let byRule = false;

	const addMissing = () => {
		for (const [name, service] of Object.entries(context.rules.services)) {
			if (!pools.has(name)) pools.set(name, createPool(name, service, context));
		}
	};
	addMissing();

	const poolOf = ({ service }: BackendRef): Pool | undefined => {
		const pool = pools.get(service);
		if (pool !== undefined) dirty.add(pool);
		return pool;
	};

	const put = (claim: Claim, nowMs: number) => {
		const pool = poolOf(claim.backend);
		if (pool === undefined) return;
		pool.touch(claim.backend.id);
		if (claim.gate === undefined && !claims.isOpen(claim.backend)) flapping.listens(claim.backend, nowMs);
		claims.put(claim);
	};

	const takeOut = (standing: Standing) => poolOf(standing.backend)?.takeOut(standing);

	const sorted = () => [...pools.values()].sort((a, b) => compare(a.name, b.name));

	return {
		set(endpoint, wanted, why, nowMs) {
			const had = claims.of(endpoint);
			if (sameClaims(had, wanted)) return;
			for (const standing of had) {
				if (standing.leaving !== undefined || wanted.some(({ backend }) => sameRef(backend, standing.backend)))
					continue;
				standing.leaving = { why, byRule };
				poolOf(standing.backend)?.leave(standing);
			}
			for (const claim of wanted) put(withSameTime(claim, had), nowMs);
		},
		close(endpoint, nowMs) {
			for (const standing of claims.of(endpoint)) {
				takeOut(standing);
				const wasIn = standing.leaving === undefined && standing.gate === undefined;
				if (wasIn && !claims.isOpen(standing.backend)) flapping.closed(standing.backend, nowMs);
			}
		},
		drop(endpoint) {
			claims.of(endpoint).forEach(takeOut);
		},
		hold(hold) {
			holds.set(refKey(hold), hold);
			const pool = poolOf(hold);
			pool?.endGrace(hold.id);
			pool?.touch(hold.id);
		},
		release(ref) {
			poolOf(ref)?.touch(ref.id);
			return holds.delete(refKey(ref));
		},
		expire(nowMs) {
			dueMs = Number.POSITIVE_INFINITY;
			for (const pool of pools.values()) {
				if (pool.dueMs <= nowMs) dirty.add(pool);
				if (pool.dueMs <= nowMs) pool.expire(nowMs);
				dueMs = Math.min(dueMs, pool.dueMs);
			}
		},
		withheldBefore: (ms) => claims.withheldBefore(ms, true).map(({ backend }) => backend.endpoint),
		confirm(ms, local = true) {
			claims.withheldBefore(ms, local).forEach(takeOut);
		},
		reconfigure(next) {
			byRule = true;
			const { guard, flap, zone } = context.rules;
			const isOtherwiseSame = next.guard === guard && next.flap === flap && next.zone === zone;
			context.rules = next;
			flapping.reconfigure(next.flap);
			for (const [name, pool] of pools) {
				// names are chosen by containers, too: every object has a `constructor`
				const service = Object.hasOwn(next.services, name) ? next.services[name] : undefined;
				if (service !== undefined) {
					if (isOtherwiseSame && service === pool.service) continue;
					pool.service = service;
					dirty.add(pool);
					continue;
				}
				for (const id of pool.ids()) claims.all({ service: name, id }).forEach(claims.remove);
				pools.delete(name);
				dirty.delete(pool);
			}
			addMissing();
		},
		commit(nowMs, waitsSinceMs = nowMs) {
			const changes = [...dirty].map((pool) => {
				const change = pool.commit(nowMs, waitsSinceMs);
				dueMs = Math.min(dueMs, pool.dueMs);
				return change;
			});
			dirty.clear();
			byRule = false;
			return {
				touched: changes.flatMap(({ touched }) => touched),
				removal: changes.some(({ removal }) => removal),
				withheld: {
					local: changes.some((one) => one.withheld.local),
					remote: changes.some((one) => one.withheld.remote),
				},
			};
		},
		get dueMs() {
			return Number.isFinite(dueMs) ? dueMs : undefined;
		},
		holds: () => [...holds.values()],
		holdOf: (ref) => holds.get(refKey(ref)),
		hasOthers: (backend) =>
			claims.to(backend).some((other) => other.leaving === undefined && other.backend.endpoint !== backend.endpoint),
		isLetIn: (backend) =>
			letIn(claims.of(backend.endpoint)).some((one) => one.backend.service === backend.service) ||
			claims.all(backend).some((one) => one.backend.netns === ADOPTED_NETNS),
		backend: ({ service, id }) => pools.get(service)?.shown.get(id),
		desired: () =>
			sorted().map(({ name, service: { mode, balance, hosts, options, weight, order }, shown }) => ({
				name,
				mode,
				balance,
				hosts,
				options,
				weight,
				...(order !== undefined && { order }),
				backends: [...shown.values()].sort((a, b) => compare(a.id, b.id)),
			})),
		leads: (endpoint) => letIn(claims.of(endpoint)),
		endpointsOf: (ref) => claims.all(ref).flatMap(({ backend }) => (backend.local ? [backend.endpoint] : [])),
		get isEmpty() {
			for (const pool of pools.values()) for (const _ of pool.ids()) return false;
			return true;
		},
		statusOf: ({ service, id }, nowMs) => pools.get(service)?.statusOf(id, nowMs)?.(),
		statusAsOf: ({ service, id }, nowMs) => pools.get(service)?.statusOf(id, nowMs),
		status: (nowMs) =>
			sorted().map((pool) => ({
				name: pool.name,
				backends: [...pool.ids()].sort(compare).flatMap((id) => pool.statusOf(id, nowMs)?.() ?? []),
			})),
	};
}

function sameRef(a: BackendRef, b: BackendRef): boolean {
	return a.service === b.service && a.id === b.id;
}

/** A time that was converted from the kernel's clock differs a little each time: the first one holds. */
function withSameTime(claim: Claim, had: readonly Standing[]): Claim {
	const before = had.find(({ backend }) => sameRef(backend, claim.backend));
	if (before === undefined) return claim;
	const told = sameTold(before.told, claim.told) ? before.told : claim.told;
	const stuck = sameStuck(before.stuck, claim.stuck) ? before.stuck : claim.stuck;
	return { ...claim, told, stuck };
}

function sameTold(a: Claim["told"], b: Claim["told"]): boolean {
	return a?.atNs === b?.atNs && a?.signal === b?.signal && a?.isGoodbye === b?.isGoodbye;
}

function sameClaims(had: readonly Standing[], wanted: readonly Claim[]): boolean {
	return (
		had.length === wanted.length &&
		had.every(({ backend, told, stuck, held, gate, leaving }, i) => {
			const other = wanted[i];
			if (leaving !== undefined || gate !== other?.gate || held !== other?.held) return false;
			return sameBackend(backend, other?.backend) && sameTold(told, other?.told) && sameStuck(stuck, other?.stuck);
		})
	);
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
