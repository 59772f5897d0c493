/**
 * One service with its backends. Works out, at the end of a step, what follows for the desired set, by the policies: a
 * person's word first, then who is stuck, flaps or is unfit, then how long the last one stays. One change among many backends costs
 * the same as among few. Pure: time is an argument; who leads where is asked of the claims.
 */

import type { Config, Service } from "../config/schema.js";
import { type Backend, type BackendId, type BackendRef, type Hold, refKey, sameBackend } from "./backend.js";
import { type Claims, gateOf, heldOf, isContested, letIn, type Standing, stuckOfAll, toldOf } from "./claims.js";
import { createEjections, type Opinion } from "./ejections.js";
import type { Flapping } from "./flapping.js";
import { mustConfirm } from "./guard.js";
import { type BackendStatus, type Facts, hostOf, reasonOf, unfitOf } from "./status.js";

/** What a step changed in the desired set. */
export interface PoolChange {
	/** The backends that came, went or changed. */
	readonly touched: readonly BackendRef[];
	/** Whether one of them left, or gets no new work by now. */
	readonly removal: boolean;
	/** Whether some that should have gone wait to be confirmed: of this host by a read, of others by the registry. */
	readonly withheld: { readonly local: boolean; readonly remote: boolean };
}

/** What the pools need of the configuration. */
export interface PoolRules extends Pick<Config, "guard" | "flap"> {
	readonly services: Readonly<Record<string, Service>>;
	/** Where this host is; absent: nobody says so. */
	readonly zone?: string | undefined;
}

/** What all pools share. */
export interface PoolContext {
	rules: PoolRules;
	readonly claims: Claims;
	readonly flapping: Flapping;
	/** By `refKey`. */
	readonly holds: ReadonlyMap<string, Hold>;
}

export interface Pool {
	readonly name: string;
	/** Its rules; to be set when they change. */
	service: Service;
	/** The backend is to be looked at when the step ends. */
	touch(id: BackendId): void;
	/** The claim should go, and nobody said that it closed: decided when the step ends. */
	leave(standing: Standing): void;
	takeOut(standing: Standing): void;
	/** One that stays as the last one stays no longer. */
	endGrace(id: BackendId): void;
	/** Touches those for which something is over by now. */
	expire(nowMs: number): void;
	commit(nowMs: number, waitsSinceMs: number): PoolChange;
	/** When `expire` has something to do, or earlier; infinite when nothing ends by itself. */
	readonly dueMs: number;
	/** The desired set, as of the last commit. */
	readonly shown: ReadonlyMap<BackendId, Backend>;
	/** All that listen or are shown. */
	ids(): Iterable<BackendId>;
	/** What a person is told of it, as it is now; in words once it is called. Undefined when nothing is known of it. */
	statusOf(id: BackendId, nowMs: number): (() => BackendStatus) | undefined;
}

/** What a backend is, and since when. */
type Known = Pick<BackendStatus, "state" | "sinceMs">;

/** What was said of a backend, and of what. */
interface Said {
	readonly known: Known;
	readonly backend: Backend | undefined;
	readonly standings: readonly Standing[];
	readonly status: BackendStatus;
}

/** Nearly all share it. */
const PLAIN: Opinion = { kind: "plain" };

export function createPool(name: string, initial: Service, context: PoolContext): Pool {
	const { claims, flapping, holds } = context;
	let service = initial;
	const ejections = createEjections();
	/** Those that closed as the last ones, and until when they stay. */
	const closing = new Map<BackendId, { readonly backend: Backend; readonly untilMs: number }>();
	const shown = new Map<BackendId, Backend>();
	const states = new Map<BackendId, Known>();
	/** The last one of them: those that come together share it. */
	let latest: Known | undefined;
	/** Of those that simply listen: most are asked for again and again, and nothing changed. */
	const said = new Map<BackendId, Said>();
	/** Of those that are shown: who is ready and goes before others, where some do, and who does not go before others. */
	const leading = new Set<BackendId>();
	const others = new Set<BackendId>();
	/** Whether the others are a backup for now. */
	let hasPreferred = false;
	let dueMs = Number.POSITIVE_INFINITY;
	/** Of this step: what is to be looked at, what should go without a close, and the last one that went. */
	const touched = new Set<BackendId>();
	const going = new Set<Standing>();
	let lastGone: Backend | undefined;

	const to = (id: BackendId) => claims.to({ service: name, id });
	/** A person's word on it: the one given here stands over the one given on its own host. */
	const holdOf = (id: BackendId, standings = to(id)): Pick<Hold, "state"> | undefined => {
		const here = holds.size === 0 ? undefined : holds.get(refKey({ service: name, id }));
		if (here !== undefined) return here;
		const state = heldOf(standings);
		return state && { state };
	};
	const due = (ms: number) => {
		dueMs = Math.min(dueMs, ms);
	};

	const takeOut = (standing: Standing) => {
		const { id } = standing.backend;
		touched.add(id);
		claims.remove(standing);
		const was = shown.get(id);
		if (was !== undefined && to(id).length === 0 && standing.leaving?.byRule !== true) lastGone = was;
	};

	/** Takes out what should go without a close, unless it is too much at once: then it waits. */
	const letGo = (nowMs: number): PoolChange["withheld"] => {
		const left = [...going].filter(claims.has);
		const alone = new Set(left.map(({ backend }) => backend).filter((backend) => !claims.isOpen(backend)));
		const ids = new Set([...alone].map(({ id }) => id).filter((id) => shown.has(id)));
		const waits = mustConfirm(ids.size, ejections.listening, context.rules.guard.maxDrop);
		for (const standing of left) {
			if (waits && alone.has(standing.backend)) claims.withhold(standing, nowMs);
			else takeOut(standing);
		}
		const isWaiting = (local: boolean) => waits && [...alone].some((backend) => backend.local === local);
		return { local: isWaiting(true), remote: isWaiting(false) };
	};

	const opinionOf = (id: BackendId, all: readonly Standing[], nowMs: number): Opinion | undefined => {
		if (all.length === 0 || isContested(all)) return undefined;
		if (holdOf(id, all) !== undefined) return { kind: "held" };
		const standings = letIn(all);
		if (standings.length === 0) return undefined;
		if (standings.every(({ leaving }) => leaving !== undefined)) return { kind: "doubtful" };
		const stuck = stuckOfAll(standings);
		if (stuck !== undefined) return { kind: "stuck", sinceMs: stuck.atMs };
		const heldOutUntilMs = flapping.heldOutUntilMs({ service: name, id }, nowMs);
		if (heldOutUntilMs !== undefined) return { kind: "flapping", untilMs: heldOutUntilMs };
		const told = toldOf(standings);
		if (told === undefined) return PLAIN;
		// it is expected to go, however long that takes
		if (told.isGoodbye === true) return { kind: "goodbye" };
		const untilMs = told.atMs + service.drainTimeout;
		return untilMs > nowMs ? { kind: "unfit", sinceMs: told.atMs, untilMs } : PLAIN;
	};

	const file = (id: BackendId, nowMs: number) => {
		const all = to(id);
		const opinion = opinionOf(id, all, nowMs);
		ejections.file(id, opinion);
		// what it was before it closed says nothing of one that has yet to answer
		if (opinion !== undefined || gateOf(all) !== undefined) closing.delete(id);
		if (opinion !== undefined && "untilMs" in opinion) due(opinion.untilMs);
	};

	/** While nobody is ready, the last one that left stays for `lastGrace`; unless a person took it out. */
	const keepLast = (nowMs: number) => {
		if (ejections.ready > 0) {
			for (const id of closing.keys()) touched.add(id);
			closing.clear();
			return;
		}
		const was = lastGone;
		if (was === undefined || service.lastGrace === 0 || to(was.id).length > 0 || holdOf(was.id) !== undefined) return;
		const untilMs = nowMs + service.lastGrace;
		closing.set(was.id, { backend: { ...was, state: "closing", held: false, backup: false }, untilMs });
		due(untilMs);
	};

	const view = (id: BackendId): Backend | undefined => {
		const backend = viewAlone(id);
		return backend === undefined || !hasPreferred || isPreferred(backend) ? backend : { ...backend, backup: true };
	};

	/** Whether it goes before others. */
	const isPreferred = ({ local, zone }: Backend): boolean => {
		const { prefer } = service;
		if (prefer === "any" || local) return true;
		return prefer === "zone" && zone !== "" && zone === context.rules.zone;
	};

	/** Without regard to who goes before it. */
	const viewAlone = (id: BackendId): Backend | undefined => {
		const outcome = ejections.outcome(id);
		if (outcome === undefined) {
			const last = closing.get(id)?.backend;
			return last && { ...last, weight: service.weight };
		}
		const standings = to(id);
		const backend = (letIn(standings)[0] ?? standings[0])?.backend;
		if (backend === undefined || outcome === "out") return undefined;
		const hold = outcome === "held" ? holdOf(id, standings) : undefined;
		if (hold !== undefined) return { ...backend, state: hold.state, held: true };
		return outcome === "drain" || outcome === "down" ? { ...backend, state: outcome } : backend;
	};

	/** Whether new work goes to it before others; nobody is asked where none goes before another. */
	const leads = (backend: Backend | undefined) =>
		service.prefer !== "any" && backend?.state === "ready" && backend.weight > 0 && isPreferred(backend);

	/** Brings what is shown of a backend up to date. */
	const show = (id: BackendId, nowMs: number) => {
		const now = view(id);
		if (leads(now)) leading.add(id);
		else leading.delete(id);
		if (now !== undefined && !isPreferred(now)) others.add(id);
		else others.delete(id);
		if (now === undefined) shown.delete(id);
		else shown.set(id, now);
		const state = now?.state ?? (to(id).length > 0 ? "out" : undefined);
		if (state === undefined) {
			states.delete(id);
			said.delete(id);
		} else if (states.get(id)?.state !== state) {
			if (latest?.state !== state || latest.sinceMs !== nowMs) latest = { state, sinceMs: nowMs };
			states.set(id, latest);
		}
	};

	/** Brings all that was touched up to date, and those that are a backup no longer, or from now on. */
	const showTouched = (nowMs: number): ReadonlyMap<BackendId, Backend | undefined> => {
		const before = new Map([...touched].map((id) => [id, shown.get(id)]));
		for (const id of touched) show(id, nowMs);
		if (leading.size > 0 === hasPreferred) return before;
		hasPreferred = leading.size > 0;
		for (const id of others) {
			if (!before.has(id)) before.set(id, shown.get(id));
			show(id, nowMs);
		}
		return before;
	};

	return {
		name,
		get service() {
			return service;
		},
		set service(next) {
			service = next;
			for (const id of states.keys()) touched.add(id);
		},
		touch: (id) => touched.add(id),
		leave(standing) {
			touched.add(standing.backend.id);
			going.add(standing);
		},
		takeOut,
		endGrace: (id) => closing.delete(id),
		expire(nowMs) {
			dueMs = Number.POSITIVE_INFINITY;
			for (const [id, { untilMs }] of closing) {
				if (untilMs > nowMs) due(untilMs);
				else if (closing.delete(id)) touched.add(id);
			}
			for (const [id, untilMs] of ejections.timed()) {
				if (untilMs > nowMs) due(untilMs);
				else touched.add(id);
			}
		},
		commit(nowMs, waitsSinceMs) {
			const withheld = letGo(waitsSinceMs);
			for (const id of touched) file(id, nowMs);
			for (const id of ejections.weigh(context.rules.guard.maxEjected)) touched.add(id);
			keepLast(nowMs);
			const changed: BackendRef[] = [];
			let removal = false;
			for (const [id, before] of showTouched(nowMs)) {
				const now = shown.get(id);
				if (sameBackend(before, now)) continue;
				changed.push({ service: name, id });
				removal ||= serves(before) && !serves(now);
			}
			touched.clear();
			going.clear();
			lastGone = undefined;
			return { touched: changed, removal, withheld };
		},
		get dueMs() {
			return dueMs;
		},
		shown,
		ids: () => states.keys(),
		statusOf(id, nowMs) {
			const known = states.get(id);
			if (known === undefined) return undefined;
			const backend = shown.get(id);
			const standings = to(id);
			const opinion = ejections.opinion(id);
			// with no more to it, it is the same for as long as these are: lists and backends are replaced, not changed
			const isSimple = opinion?.kind === "plain" && toldOf(letIn(standings)) === undefined;
			const before = isSimple ? said.get(id) : undefined;
			if (before?.known === known && before.backend === backend && before.standings === standings)
				return () => before.status;
			const facts: Facts = {
				shown: backend,
				standings,
				opinion,
				isAlone: ejections.ready <= 1,
				hold: holdOf(id, standings),
				isHeldHere: holds.has(refKey({ service: name, id })),
				closingUntilMs: closing.get(id)?.untilMs,
				flap: context.rules.flap,
				drainTimeout: service.drainTimeout,
				nowMs,
			};
			return () => {
				const unfit = unfitOf(facts);
				const host = hostOf(standings);
				const status = {
					id,
					...known,
					held: backend?.held === true,
					reason: reasonOf(facts),
					...(unfit !== undefined && { unfit }),
					...(host !== undefined && { host }),
				};
				if (isSimple && states.get(id) === known) said.set(id, { known, backend, standings, status });
				return status;
			};
		},
	};
}

/** Whether a proxy gives it new work. */
function serves(backend: Backend | undefined): boolean {
	return (backend?.state === "ready" || backend?.state === "closing") && !backend.backup;
}
