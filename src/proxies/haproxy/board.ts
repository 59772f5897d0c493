/**
 * What the running HAProxy has, as far as it was read and as it was changed since, and which backend is in which slot:
 * with it a single change takes no look at all the others. Owns no I/O.
 */

import type { Backend, BackendRef } from "../../backends/backend.js";
import type { OperatorChange, Taken } from "../driver.js";
import { addServer, aimOf, changeServer } from "./aim.js";
import { afterStep, commandsOf, type ServerStep } from "./commands.js";
import type { Live, LiveServer, LiveServers } from "./live.js";
import { NO_PLACE, numberOf, type Slot } from "./slots.js";

type Known = Extract<Live, { state: "known" }>;

/** The slots of one service, with what it takes to fill one. */
export interface Assignment {
	readonly service: string;
	readonly slots: readonly Slot[];
	/** Whether servers can be added at run time, and with which options. */
	readonly add: { readonly options: string } | undefined;
}

/** A change of one backend. */
export interface Change {
	/** None: it is so already. */
	readonly steps: readonly ServerStep[];
	/** Undefined: it had none, and needs none. */
	readonly slot: Slot | undefined;
}

export interface Board {
	/** The worker that all of it is true of; undefined while nothing is known. */
	readonly worker: string | undefined;
	/** The commands that this worker refused. */
	readonly refused: ReadonlySet<string>;
	/** What it has: as it was taken in last, with what was changed since. */
	readonly servers: LiveServers;
	/** To be taken before a read, and given with what it found. */
	mark(): number;
	/** Takes in a read. What was changed since the mark is known better here. */
	take(live: Live, mark: number): Taken;
	/** Who is in which slot, after a plan. */
	assign(assignments: readonly Assignment[]): void;
	/** What it takes for one backend, after all that was asked before; undefined when that takes a plan. */
	change(ref: BackendRef, backend: Backend | undefined, checksOff: boolean): Change | undefined;
	/** A step was done, or refused. */
	done(step: ServerStep): void;
	refuse(step: ServerStep): void;
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
	let refused = new Set<string>();
	/** Per server, when it was changed here last, in steps. */
	let changedAt = new Map<string, number>();
	let clock = 0;
	let pools = new Map<string, Pool>();
	/** How servers will be once the steps that are on their way are done. */
	const asked = new Map<string, LiveServer | undefined>();

	const nameOf = ({ backend, server }: Pick<ServerStep, "backend" | "server">) => `${backend}/${server}`;

	/** A read, with what was changed since it began. */
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

	const isSame = (now: LiveServers): boolean =>
		[...pools.keys()].every((service) => sameServers(servers.get(service), now.get(service)));

	/** The server as it is, or will be. */
	const look = (backend: string, server: string): LiveServer | undefined => {
		const name = nameOf({ backend, server });
		return asked.has(name) ? asked.get(name) : servers.get(backend)?.get(server);
	};

	const slotFor = (pool: Pool, id: string): string | undefined => {
		const own = pool.byId.get(id);
		if (own !== undefined && (pool.free.has(own) || pool.occupied.get(own) === id)) return own;
		for (const name of pool.free) return name;
		return pool.add === undefined ? undefined : `s${pool.last + 1}`;
	};

	const leave = (service: string, pool: Pool, id: BackendRef["id"]): Change => {
		const name = pool.byId.get(id);
		if (name === undefined || pool.occupied.get(name) !== id) return { steps: [], slot: undefined };
		pool.occupied.delete(name);
		pool.free.add(name);
		const isOut = look(service, name)?.admin === "maint";
		return {
			steps: isOut ? [] : [{ kind: "state", backend: service, server: name, state: "maint" }],
			slot: { name, backend: undefined },
		};
	};

	const enter = (service: string, pool: Pool, backend: Backend, checksOff: boolean): Change | undefined => {
		const { id } = backend;
		const name = slotFor(pool, id);
		if (name === undefined) return undefined;
		const has = look(service, name);
		if (has === undefined && pool.add === undefined) return undefined;
		if (has !== undefined && has.address !== id && pool.byId.get(has.address) === name) pool.byId.delete(has.address);
		pool.byId.set(id, name);
		pool.occupied.set(name, id);
		pool.free.delete(name);
		pool.last = Math.max(pool.last, numberOf(name));
		const of = { backend: service, server: name };
		const aim = aimOf(backend, pool.add?.options ?? "");
		// Its last address, too, is said again as it comes in: a worker that was started meanwhile has none in a free slot,
		// and would have it in all the same until that is noticed.
		const comesIn = has?.admin === "maint" && aim.state !== "maint";
		const known = has !== undefined && comesIn ? { ...has, address: NO_PLACE } : has;
		const steps = known === undefined ? addServer(of, aim, checksOff) : changeServer(of, known, aim, checksOff);
		return { steps, slot: { name, backend } };
	};

	return {
		get worker() {
			return worker;
		},
		get servers() {
			return servers;
		},
		get refused() {
			return refused;
		},
		mark: () => clock,
		take(live, mark) {
			if (live.state !== "known") {
				worker = undefined;
				return { byOthers: [], isSame: false };
			}
			const now = overlay(live, mark);
			const isKnown = live.worker === worker;
			const taken = { byOthers: isKnown ? changesByOthers(now) : [], isSame: isKnown && isSame(now) };
			if (!isKnown) {
				pools = new Map();
				refused = new Set();
			}
			worker = live.worker;
			// A look finds mostly what is known: that is kept, and what was read is gone at once.
			servers = new Map([...now].map(([backend, of]) => [backend, unlessSame(servers.get(backend), of)]));
			changedAt = new Map([...changedAt].filter(([, at]) => at > mark));
			return taken;
		},
		assign(assignments) {
			pools = new Map(assignments.map((one) => [one.service, poolOf(one, servers.get(one.service) ?? new Map())]));
		},
		change({ service, id }, backend, checksOff) {
			const pool = pools.get(service);
			if (pool === undefined) return undefined;
			const change = backend === undefined ? leave(service, pool, id) : enter(service, pool, backend, checksOff);
			for (const step of change?.steps ?? []) {
				asked.set(nameOf(step), afterStep(look(step.backend, step.server), step));
			}
			return change;
		},
		done(step) {
			const of = servers.get(step.backend);
			const after = afterStep(of?.get(step.server), step);
			if (after === undefined) of?.delete(step.server);
			else of?.set(step.server, after);
			asked.delete(nameOf(step));
			changedAt.set(nameOf(step), ++clock);
		},
		refuse(step) {
			for (const command of commandsOf(step)) refused.add(command);
			asked.delete(nameOf(step));
			changedAt.set(nameOf(step), ++clock);
		},
		forget() {
			worker = undefined;
			pools = new Map();
			asked.clear();
		},
	};
}

function poolOf({ slots, add }: Assignment, live: ReadonlyMap<string, LiveServer>): Pool {
	const pool: Pool = { byId: new Map(), occupied: new Map(), free: new Set(), last: 0, add };
	const had: string[] = [];
	for (const { name, backend } of slots) {
		pool.last = Math.max(pool.last, numberOf(name));
		const server = live.get(name);
		// One that the file has and HAProxy has not can't be taken, unless the plan adds it.
		if (server === undefined && add === undefined) continue;
		if (backend !== undefined) {
			pool.occupied.set(name, backend.id);
			pool.byId.set(backend.id, name);
		} else if (server === undefined || server.address === NO_PLACE) {
			pool.free.add(name);
		} else {
			had.push(name);
			if (!pool.byId.has(server.address)) pool.byId.set(server.address, name);
		}
	}
	// Those that had nobody first: whoever left may come back to its own.
	for (const name of had) pool.free.add(name);
	return pool;
}

function unlessSame(
	before: Map<string, LiveServer> | undefined,
	now: Map<string, LiveServer>,
): Map<string, LiveServer> {
	const isSame =
		sameServers(before, now) && [...now].every(([name, { running }]) => running === before?.get(name)?.running);
	return isSame && before !== undefined ? before : now;
}

/** Whether a look at them tells nothing new; what HAProxy's own checks say of them is theirs. */
function sameServers(
	a: ReadonlyMap<string, LiveServer> = new Map(),
	b: ReadonlyMap<string, LiveServer> = new Map(),
): boolean {
	if (a.size !== b.size) return false;
	return [...a].every(([name, one]) => {
		const other = b.get(name);
		return (
			other !== undefined &&
			one.address === other.address &&
			one.weight === other.weight &&
			one.admin === other.admin &&
			one.checks === other.checks
		);
	});
}
