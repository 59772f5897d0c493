/** What is known of how a proxy fares: its status, its counts, and the lines of the log that tell of both. */

import type { Logger } from "pino";
import type { DesiredChange } from "../backends/backend.js";
import { messageOf } from "../errors.js";
import { countApplied, countFailed, type LoopCounts, NO_COUNTS } from "./counts.js";
import type { Plan, ServerDiff, StageName } from "./driver.js";
import { type AppliedLine, createReporter } from "./report.js";

export type ProxyStatus =
	/** Nothing was done yet: the desired set is not known, or the first round is under way. */
	| { readonly state: "starting" }
	/** The proxy has what it should have. */
	| { readonly state: "applied" }
	/** `mode: observe`; what would be done, none when the proxy has what it should have. */
	| { readonly state: "observing"; readonly steps: readonly string[] }
	| { readonly state: "unreachable"; readonly why: string }
	| { readonly state: "failed"; readonly why: string; readonly serving: string };

/** How a change reached the proxy. */
export interface Applied {
	/** The oldest one that it was for; undefined where it made good what the proxy lacked. */
	readonly since: DesiredChange | undefined;
	/** When that was begun. */
	readonly beginMs: number;
	/** From then on. */
	readonly stagesMs: AppliedLine["stagesMs"];
	readonly reload: boolean;
}

export interface LedgerOptions {
	readonly log: Logger;
	/** The proxy's name. */
	readonly proxy: string;
	/** Milliseconds of the clock that changes are told in. */
	now(): number;
	readonly onChange: ((status: ProxyStatus) => void) | undefined;
}

export interface Ledger {
	readonly status: ProxyStatus;
	readonly counts: LoopCounts;
	/** A change reached the proxy, just now. */
	applied(diff: ServerDiff, how: Applied): void;
	/** The proxy has what it should have. */
	fine(): void;
	/** @param stage where the change failed; undefined: before there was one, or while it was planned */
	failed(error: unknown, serving: string, retryInMs: number, stage?: StageName): void;
	unreachable(why: string, retryInMs: number): void;
	/** What would be done, as lines for people. */
	observed(plan: Plan<unknown>, steps: readonly string[]): void;
	/** A single change takes a plan, and why. */
	behind(why: string): void;
}

export function createLedger({ log, proxy, now, onChange }: LedgerOptions): Ledger {
	const report = createReporter(log, proxy);
	let status: ProxyStatus = { state: "starting" };
	let counts = NO_COUNTS;

	const setStatus = (next: ProxyStatus) => {
		status = next;
		onChange?.(next);
	};

	return {
		get status() {
			return status;
		},
		get counts() {
			return counts;
		},
		applied(diff, { since, beginMs, reload, ...how }) {
			const sinceMs = since?.atMs ?? beginMs;
			const stagesMs = { settle: beginMs - sinceMs, ...how.stagesMs };
			const sinceKernelMs = since?.sinceKernelMs?.();
			counts = countApplied(counts, diff, { reload, stagesMs, sinceKernelMs }, Date.now());
			report.applied({ ...diff, reload, stagesMs, totalMs: now() - sinceMs, sinceKernelMs });
		},
		fine() {
			report.fine();
			setStatus({ state: "applied" });
		},
		failed(error, serving, retryInMs, stage) {
			const why = messageOf(error);
			counts = countFailed(counts, stage === "reload" || stage === "verify");
			report.failed({ why, serving, retryInMs });
			setStatus({ state: "failed", why, serving });
		},
		unreachable(why, retryInMs) {
			report.unreachable({ why, retryInMs });
			setStatus({ state: "unreachable", why });
		},
		observed({ diff, isFirst = false, unreachable }, steps) {
			report.observed({ ...diff, steps, isFirst });
			if (unreachable === undefined) report.fine();
			setStatus({ state: "observing", steps });
		},
		behind(why) {
			log.debug({ proxy, reason: why }, "takes a plan");
		},
	};
}
