/**
 * What the running HAProxy has, as far as it was read and as it was changed since, and which backend is in which slot:
 * with it a single change takes no look at all the others. Owns no I/O.
 */

import type { Backend, BackendRef } from "../../backends/backend.js";
import type { OperatorChange } from "../driver.js";
import { afterStep, type ServerStep } from "./commands.js";
import { hostPort } from "./declared.js";
import type { Live, LiveServer, LiveServers } from "./live.js";
import { addServer, changeServer } from "./plan.js";
import { isSlotName, NOWHERE, numberOf, type Slot } from "./slots.js";

type Known = Extract<Live, { state: "known" }>;

/** The slots of one service, with what it takes to fill one. */
export interface Assignment {
	readonly service: string;
	readonly slots: readonly Slot[];
	/** Whether servers can be added at run time, and with which options. */
	readonly add: { readonly options: string } | undefined;
}

export interface Board {
	/** The worker that all of it is true of; undefined while nothing is known. */
	readonly worker: string | undefined;
	/** To be taken before a read, and given with what it found. */
	mark(): number;
	/** Takes in a read; tells which states somebody else set since. */
	take(live: Live, mark: number): readonly OperatorChange[];
	/** A read, with what was changed since it began. */
	overlay(live: Known, mark: number): LiveServers;
	/** A step was done. */
	apply(step: ServerStep): void;
	/** Who is in which slot, after a plan. */
	assign(assignments: readonly Assignment[]): void;
	/** What it takes for one backend; undefined when that takes a plan. */
	stepsFor(ref: BackendRef, backend: Backend | undefined, checksOff: boolean): ServerStep[] | undefined;
	/** Whether a service has slots here. */
	has(service: string): boolean;
	/** Nothing is known any more. */
	forget(): void;
}

interface Pool {
	/** All that have an address, also the free ones. */
	readonly byId: Map<string, string>;
	readonly occupied: Map<string, BackendRef["id"]>;
	/** In the order in which they are to be taken. */
	readonly free: Set<string>;
	last: number;
	readonly add: Assignment["add"];
}

export function createBoard(): Board {
	let worker: string | undefined;
	let servers = new Map<string, Map<string, LiveServer>>();
	/** Per server, when it was changed here last, in steps. */
	let changedAt = new Map<string, number>();
	let clock = 0;
	let pools = new Map<string, Pool>();

	const nameOf = (backend: string, server: string) => `${backend}/${server}`;

	const overlay = (live: Known, mark: number): Map<string, Map<string, LiveServer>> => {
		const merged = new Map([...live.servers].map(([backend, of]) => [backend, new Map(of)]));
		if (live.worker !== worker) return merged;
		for (const [name, at] of changedAt) {
			if (at <= mark) continue;
			const slash = name.lastIndexOf("/");
			const [backend, server] = [name.slice(0, slash), name.slice(slash + 1)];
			const has = servers.get(backend)?.get(server);
			if (has === undefined) merged.get(backend)?.delete(server);
			else merged.get(backend)?.set(server, has);
		}
		return merged;
	};

	const changesByOthers = (now: LiveServers): OperatorChange[] => {
		const changes: OperatorChange[] = [];
		for (const [service, { occupied }] of pools) {
			for (const [server, id] of occupied) {
				const before = servers.get(service)?.get(server);
				const after = now.get(service)?.get(server);
				if (before === undefined || after === undefined || before.admin === after.admin) continue;
				changes.push({ service, id, state: after.admin === "maint" ? "down" : after.admin });
			}
		}
		return changes;
	};

	const slotFor = (pool: Pool, id: string): string | undefined => {
		const own = pool.byId.get(id);
		if (own !== undefined && (pool.free.has(own) || pool.occupied.get(own) === id)) return own;
		for (const name of pool.free) return name;
		return pool.add === undefined ? undefined : `s${pool.last + 1}`;
	};

	return {
		get worker() {
			return worker;
		},
		mark: () => clock,
		take(live, mark) {
			if (live.state !== "known") {
				worker = undefined;
				return [];
			}
			const merged = overlay(live, mark);
			const changes = live.worker === worker ? changesByOthers(merged) : [];
			if (live.worker !== worker) pools = new Map();
			worker = live.worker;
			servers = merged;
			changedAt = new Map([...changedAt].filter(([, at]) => at > mark));
			return changes;
		},
		overlay,
		apply(step) {
			const of = servers.get(step.backend);
			const after = afterStep(of?.get(step.server), step);
			if (after === undefined) of?.delete(step.server);
			else of?.set(step.server, after);
			changedAt.set(nameOf(step.backend, step.server), ++clock);
		},
		assign(assignments) {
			pools = new Map(
				assignments.map(({ service, slots, add }) => {
					const pool: Pool = { byId: new Map(), occupied: new Map(), free: new Set(), last: 0, add };
					const had: string[] = [];
					for (const { name, backend } of slots) {
						pool.last = Math.max(pool.last, numberOf(name));
						const live = servers.get(service)?.get(name);
						// One that the file has and HAProxy has not can't be taken.
						if (live === undefined) continue;
						if (backend !== undefined) {
							pool.occupied.set(name, backend.id);
							pool.byId.set(backend.id, name);
						} else if (live.address === NO_PLACE) {
							pool.free.add(name);
						} else {
							had.push(name);
							if (!pool.byId.has(live.address)) pool.byId.set(live.address, name);
						}
					}
					for (const name of had) pool.free.add(name);
					return [service, pool];
				}),
			);
		},
		stepsFor({ service, id }, backend, checksOff) {
			const pool = pools.get(service);
			const there = servers.get(service);
			if (pool === undefined || there === undefined) return undefined;
			if (backend === undefined) {
				const name = pool.byId.get(id);
				if (name === undefined || pool.occupied.get(name) !== id) return [];
				pool.occupied.delete(name);
				pool.free.add(name);
				const has = there.get(name);
				if (has === undefined || has.admin === "maint") return [];
				return [{ kind: "state", backend: service, server: name, state: "maint" }];
			}
			const name = slotFor(pool, id);
			if (name === undefined || !isSlotName(name)) return undefined;
			const of = { backend: service, server: name };
			const has = there.get(name);
			const aim = aimOf(backend, pool.add?.options ?? "");
			if (has === undefined && pool.add === undefined) return undefined;
			const before = has === undefined ? undefined : pool.byId.get(has.address);
			if (has !== undefined && before === name && has.address !== id) pool.byId.delete(has.address);
			pool.byId.set(id, name);
			pool.occupied.set(name, id);
			pool.free.delete(name);
			pool.last = Math.max(pool.last, numberOf(name));
			return has === undefined ? addServer(of, aim, checksOff) : changeServer(of, has, aim, checksOff);
		},
		has: (service) => pools.has(service),
		forget() {
			worker = undefined;
			pools = new Map();
		},
	};
}

const NO_PLACE = hostPort(NOWHERE.address, NOWHERE.port);

/** How the server of a backend is to be. */
function aimOf({ id, weight, state }: Backend, options: string) {
	const admin = state === "drain" ? "drain" : state === "down" ? "maint" : "ready";
	return { address: id, weight, state: admin, options } as const;
}
