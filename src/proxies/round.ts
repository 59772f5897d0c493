/**
 * One round of a proxy's loop: read, plan, and carry out, or less where less is asked for. Says how it ended; when the next
 * one comes is decided by others.
 */

import type { DesiredChange, DesiredSet } from "../backends/backend.js";
import type { ProxyConfig } from "../config/schema.js";
import type { SolistendError } from "../errors.js";
import type { Driver, OperatorChange, Plan, StageName, StageTimes } from "./driver.js";
import type { Turns } from "./fast-queue.js";
import type { Ledger } from "./ledger.js";
import type { Grown } from "./newcomers.js";
import { type ReloadLimiter, reloadAllowedAtMs, reloaded } from "./reload-limiter.js";

/**
 * What a round has to do, each more than the one before: let the file follow what the fast lane did; see whether the proxy
 * still has what it was given; plan.
 */
export const TASKS = ["follow", "look", "plan"] as const;
export type Task = (typeof TASKS)[number];

export type RoundEnd =
	/** The proxy has what it should have; `atOnce`: but it was reloaded, and is to be looked at. */
	| { readonly kind: "done"; readonly atOnce?: boolean }
	/** Nothing is known to be done. */
	| { readonly kind: "idle" }
	| { readonly kind: "unreachable"; readonly why: string }
	/** A reload has to wait until then. */
	| { readonly kind: "limited"; readonly untilMs: number }
	/** `unexpected`: the running proxy answered something else than was planned for. */
	| {
			readonly kind: "failed";
			readonly stage: StageName;
			readonly error: SolistendError;
			readonly serving: string;
			readonly unexpected?: boolean;
	  }
	/** `mode: observe`. */
	| { readonly kind: "observed"; readonly plan: Plan<unknown> };

export interface RoundOptions {
	readonly proxy: Pick<ProxyConfig, "mode" | "reloadInterval">;
	readonly driver: Driver;
	readonly desired: () => DesiredSet | undefined;
	readonly onOperator: ((changes: readonly OperatorChange[]) => void) | undefined;
	readonly ledger: Ledger;
	readonly inTurn: Turns;
	/** Takes from the desired set whom a reload is not for yet. */
	readonly forReload: (set: DesiredSet) => Grown;
	/** The proxy has this, or gets it now. */
	readonly onGiven: (set: DesiredSet) => void;
	readonly signal: AbortSignal;
	now(): number;
}

/**
 * Rejects when the driver can't read or plan, or the signal is aborted.
 *
 * @param mayWait it is for what was gathered: a reload of it may still wait for those who have only just joined
 */
export type Round = (task: Task, since: DesiredChange | undefined, mayWait: boolean) => Promise<RoundEnd>;

export interface Rounds {
	readonly round: Round;
	/** Whether a plan was begun: what changes from then on may be in none. */
	readonly hasPlanned: boolean;
	/** Whether a round is at the file, or at a reload: that may take long, on a slow disk for one. */
	readonly isAtFile: boolean;
	/**
	 * While a round is at the file: tells the running proxy what commands can, by a plan of its own; all else is left to the
	 * next round. Whether it was told something. Rejects as a round does.
	 */
	ahead(since: DesiredChange | undefined): Promise<boolean>;
}

const NOBODY = { joined: [], left: [] } as const;

export function createRounds(options: RoundOptions): Rounds {
	const { proxy, driver, desired, onOperator, ledger, inTurn, forReload, onGiven, signal, now } = options;
	const isApplying = proxy.mode === "apply";
	let limiter: ReloadLimiter;
	/** Whether the next reload has waited for newcomers: it does so once. */
	let hasWaited = false;
	let hasPlanned = false;
	/** What a round has at the file now. */
	let atFile: readonly unknown[] | undefined;

	const runFile = async (steps: readonly unknown[]) => {
		atFile = steps;
		try {
			return await driver.run(steps, signal);
		} finally {
			atFile = undefined;
		}
	};

	/** Lets the file follow what the fast lane did; undefined where that takes a plan. */
	const follow = async (beginMs: number): Promise<RoundEnd | undefined> => {
		const steps = isApplying ? driver.fast?.follow() : undefined;
		if (steps === undefined) return undefined;
		if (steps.length === 0) return { kind: "done" };
		const outcome = await runFile(steps);
		if (outcome.kind === "failed") return outcome;
		ledger.applied(NOBODY, { since: undefined, beginMs, stagesMs: outcome.stagesMs, reload: false });
		return { kind: "done" };
	};

	/** Read in, planned and begun in one turn, so that no single change comes in between. Undefined: nothing is new. */
	const planned = (task: Task, actual: unknown, isLate = () => false) =>
		inTurn(async () => {
			if (isLate()) return undefined;
			hasPlanned = true;
			const taken = driver.take?.(actual);
			if (taken !== undefined && taken.byOthers.length > 0) onOperator?.(taken.byOthers);
			if (task !== "plan" && taken?.isSame === true && taken.byOthers.length === 0) return undefined;
			const all = desired() ?? [];
			let plan = driver.plan(actual, all);
			const { set, allAtMs } = plan.reload ? forReload(all) : { set: all };
			if (set !== all) plan = driver.plan(actual, set);
			const planMs = now();
			const { urgent = [] } = plan;
			const isUrgent = isApplying && urgent.length > 0;
			return { plan, planMs, set, allAtMs, urgent: isUrgent ? await driver.run(urgent, signal) : undefined };
		});

	const round: Round = async (task, since, mayWait) => {
		const beginMs = now();
		if (desired() === undefined) return { kind: "idle" };
		const early = task === "follow" ? await follow(beginMs) : undefined;
		if (early !== undefined) return early;
		const actual = await driver.read(signal);
		const readMs = now();
		// Where the file can't follow by itself, that takes a plan.
		const made = await planned(task === "follow" ? "plan" : task, actual);
		if (made === undefined) return (await follow(beginMs)) ?? round("plan", since, mayWait);
		const { plan, planMs, set, allAtMs, urgent } = made;
		if (!isApplying) return { kind: "observed", plan };
		const before = { read: readMs - beginMs, render: planMs - readMs };
		const tell = (stagesMs: StageTimes, reload: boolean) =>
			ledger.applied(plan.diff, { since, beginMs, stagesMs: { ...before, ...stagesMs }, reload });
		const end: RoundEnd =
			plan.unreachable === undefined ? { kind: "done" } : { kind: "unreachable", why: plan.unreachable };

		if (urgent?.kind === "failed") return { ...urgent, unexpected: true };
		const untilMs = plan.reload ? reloadAllowedAtMs(limiter, plan.diff.left.length > 0, proxy.reloadInterval) : 0;
		if (urgent !== undefined && (plan.steps.length === 0 || untilMs > planMs)) tell(urgent.stagesMs, false);
		if (untilMs > planMs) return { kind: "limited", untilMs };
		if (plan.reload && allAtMs !== undefined && mayWait && !hasWaited) {
			// A reload for others: those who joined in the last moment can go with it, and need none of their own.
			hasWaited = true;
			return { kind: "limited", untilMs: allAtMs };
		}
		hasWaited = false;
		onGiven(set);
		if (plan.steps.length === 0) return end;
		const outcome = await runFile(plan.steps);
		if (outcome.stagesMs.reload !== undefined) limiter = reloaded(limiter, planMs, proxy.reloadInterval);
		if (outcome.kind === "failed") return outcome;
		tell({ ...urgent?.stagesMs, ...outcome.stagesMs }, plan.reload);
		// A new worker starts from its file: what changed since, and what no file can say, is to be looked at.
		return end.kind === "done" && plan.reload && driver.fast !== undefined ? { kind: "done", atOnce: true } : end;
	};
	return {
		round,
		get hasPlanned() {
			return hasPlanned;
		},
		get isAtFile() {
			return atFile !== undefined;
		},
		async ahead(since) {
			const beginMs = now();
			const beside = atFile;
			const actual = await driver.read(signal);
			// The next round may have read by then, and knows better.
			const made = await planned("plan", actual, () => atFile !== beside);
			if (made?.urgent?.kind !== "applied") return false;
			ledger.applied(made.plan.diff, { since, beginMs, stagesMs: made.urgent.stagesMs, reload: false });
			return true;
		},
	};
}
