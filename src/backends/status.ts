/** What a person is told of each backend: its state, and why it is so. Pure; the words only, nothing is decided here. */

import { formatDuration } from "../duration.js";
import { ADOPTED_NETNS, type Backend, type BackendId, type BackendState, type Hold } from "./backend.js";
import { gateOf, isContested, letIn, type Standing, stuckOfAll, toldOf } from "./claims.js";
import type { Opinion } from "./ejections.js";
import type { FlapPolicy } from "./flapping.js";
import type { Stuck } from "./stuck.js";

/** A backend as a person is told of it. */
export interface BackendStatus {
	readonly id: BackendId;
	/** `out`: it listens, and is not in the set. */
	readonly state: BackendState | "out";
	readonly held: boolean;
	/** Why, as a clause. */
	readonly reason: string;
	/** Since when it is in this state, in the clock of the pipeline. */
	readonly sinceMs: number;
	/** Why it should get no new work, be it out for that or not; absent where nothing speaks against it. */
	readonly unfit?: Unfit;
	/** The host that it is on; absent: this one, or nobody knows. */
	readonly host?: string;
}

export type Unfit = "stopping" | Stuck["kind"];

/** A service with all that listens for it. */
export interface ServiceStatus {
	readonly name: string;
	/** Sorted by id. */
	readonly backends: readonly BackendStatus[];
}

/** What is known of a backend. */
export interface Facts {
	/** As the proxies see it; undefined when it is not in the set. */
	readonly shown: Backend | undefined;
	readonly standings: readonly Standing[];
	readonly opinion: Opinion | undefined;
	/** Whether no more than one is ready, be it this one or another. */
	readonly isAlone: boolean;
	readonly hold: Pick<Hold, "state"> | undefined;
	/** Whether it is held by a word given on this host. */
	readonly isHeldHere: boolean;
	/** Until when it stays as the last one. */
	readonly closingUntilMs: number | undefined;
	readonly flap: FlapPolicy;
	readonly drainTimeout: number;
	readonly nowMs: number;
}

/** Why it should get no new work, in a word. */
export function unfitOf({ opinion, standings }: Pick<Facts, "opinion" | "standings">): Unfit | undefined {
	if (opinion?.kind === "unfit" || opinion?.kind === "goodbye") return "stopping";
	return opinion?.kind === "stuck" ? stuckOfAll(letIn(standings))?.kind : undefined;
}

/** Why a backend is in its state. */
export function reasonOf(facts: Facts): string {
	const { shown, standings, opinion, isAlone, hold, isHeldHere, closingUntilMs, flap, drainTimeout, nowMs } = facts;
	const [first] = standings;
	if (first === undefined && closingUntilMs !== undefined) {
		return `closed as the last one, stays for ${formatDuration(Math.max(0, closingUntilMs - nowMs))}`;
	}
	if (first !== undefined && isContested(standings)) {
		return `another network namespace claims ${first.backend.id}, too`;
	}
	const where = hostOf(standings);
	const there = where === undefined ? "" : ` on host ${where}`;
	if (hold !== undefined) {
		const what = hold.state === "drain" ? "a person drained it" : "a person took it out";
		return isHeldHere ? what : `${what}${there}`;
	}
	if (first?.leaving !== undefined)
		return `waits for ${where === undefined ? "a resync" : "the registry"} to confirm: ${first.leaving.why}`;
	const gate = gateOf(standings);
	if (gate !== undefined) return gate.why(nowMs);
	const stuck = stuckOfAll(letIn(standings));
	if (stuck !== undefined) {
		const what = `${stuckText(stuck, nowMs)}${there}`;
		if (shown?.state === "down") return what;
		return `${what}; it stays: ${isAlone ? "no other is ready" : "too many would be out"}`;
	}
	const told = toldOf(letIn(standings));
	if (opinion?.kind === "flapping") {
		const often = flap === false ? "it closed often" : `closed ${flap.max} times in ${formatDuration(flap.window)}`;
		const left = formatDuration(opinion.untilMs - nowMs);
		return shown === undefined ? `held out for ${left}: ${often}` : `${often}, and no other is ready`;
	}
	if (told?.isGoodbye === true) {
		const what = `host ${first?.backend.host} says goodbye`;
		return shown?.state === "drain" ? what : `${what}, and it stays: no other is ready`;
	}
	if (told !== undefined) {
		const what = `told to stop by ${told.signal}${there}`;
		if (opinion?.kind !== "unfit") return `${what}, and still listens ${formatDuration(drainTimeout)} later`;
		return shown?.state === "drain" ? what : `${what}, and stays: too many would be out`;
	}
	if (first?.backend.netns === ADOPTED_NETNS) return "the proxy has it, and nobody says that it closed";
	return `it listens${there}${shown?.backup ? ", as a backup" : ""}`;
}

/** The other host that a backend is on. */
export function hostOf(standings: readonly Standing[]): string | undefined {
	const backend = standings[0]?.backend;
	return backend === undefined || backend.local || backend.netns === ADOPTED_NETNS ? undefined : backend.host;
}

/** What it is stuck by, since when, and what would mend it. */
function stuckText(stuck: Stuck, nowMs: number): string {
	const ms = nowMs - stuck.atMs;
	const since = ms < 1000 ? "" : ` for ${formatDuration(Math.floor(ms / 1000) * 1000)}`;
	if (stuck.kind === "hung") {
		const { queued, backlog, pid } = stuck;
		const waiting = `${queued} ${queued === 1 ? "connection waits" : "connections wait"}, backlog ${backlog}`;
		return `hung${since}: it accepts none (${waiting}); back when it does (see what pid ${pid} waits for, or restart it)`;
	}
	return stuck.by === "freezer"
		? `paused${since}: its cgroup is frozen; back when that ends (docker unpause, or 0 into cgroup.freeze)`
		: `paused${since}: it was stopped by a signal, such as SIGSTOP; back when it goes on (kill -CONT ${stuck.pid})`;
}
