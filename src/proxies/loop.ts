/**
 * One serial loop per proxy: whatever changes marks it dirty, and it makes the proxy equal to the newest desired set at
 * its own pace: settled, limited in reloads, with growing pauses after a failure. Where the proxy has a fast lane, single
 * backends go through that at once, and the loop follows with the file. Knows no kind of proxy, and not where backends
 * come from.
 */

import type { Logger } from "pino";
import type { Backend, BackendRef, DesiredSet } from "../backends/backend.js";
import { acted, changed, dueAtMs, SETTLED, type SettlePolicy } from "../backends/settle.js";
import type { ProxyConfig } from "../config/schema.js";
import { messageOf } from "../errors.js";
import { retryDelayMs } from "./backoff.js";
import { countApplied, countFailed, type LoopCounts, NO_COUNTS } from "./counts.js";
import type { Driver, OperatorChange, Plan, ServerDiff, StageTimes } from "./driver.js";
import { createFastQueue, createTurns } from "./fast-queue.js";
import { type ReloadLimiter, reloadAllowedAtMs, reloaded } from "./reload-limiter.js";
import { type AppliedLine, createReporter } from "./report.js";

/** Something changed in the desired set. */
export interface LoopChange {
	/** When it was known, in the clock of `now`. */
	readonly atMs: number;
	/** Whether a backend left. */
	readonly removal: boolean;
	/** The backends that may differ from before; undefined when it may be any. */
	readonly touched: readonly BackendRef[] | undefined;
	/** How long ago the kernel's event was, in milliseconds, where one event caused it. */
	sinceKernelMs?(): number;
}

export type ProxyStatus =
	/** Nothing was done yet: the desired set is not known, or the first round is under way. */
	| { readonly state: "starting" }
	/** The proxy has what it should have. */
	| { readonly state: "applied" }
	/** `mode: observe`; what would be done, none when the proxy has what it should have. */
	| { readonly state: "observing"; readonly steps: readonly string[] }
	| { readonly state: "unreachable"; readonly why: string }
	| { readonly state: "failed"; readonly why: string; readonly serving: string };

export interface LoopOptions {
	readonly proxy: Pick<ProxyConfig, "name" | "mode" | "reloadInterval">;
	readonly driver: Driver;
	/** The newest desired set; undefined when it is not known, and then nothing is done. */
	readonly desired: () => DesiredSet | undefined;
	/** The newest word on one backend; undefined: it is out. */
	readonly backend: (ref: BackendRef) => Backend | undefined;
	/** Takes in what a person told the proxy itself, before anything is planned. */
	readonly onOperator?: (changes: readonly OperatorChange[]) => void;
	readonly settle: SettlePolicy;
	readonly log: Logger;
	readonly onChange?: (status: ProxyStatus) => void;
	/** Milliseconds of a clock that does not jump. */
	readonly now?: () => number;
	/** From 0 to below 1. */
	readonly random?: () => number;
}

export interface Loop {
	/** The desired set changed. */
	notify(change: LoopChange): void;
	readonly status: ProxyStatus;
	readonly counts: LoopCounts;
	setSettle(policy: SettlePolicy): void;
	/** Stops waiting and running; the proxy keeps what it has. Resolves when nothing of it runs any more. */
	close(): Promise<void>;
}

/** Opens the loop and looks at the proxy at once. Closes the driver with itself. */
export function openLoop({
	proxy,
	driver,
	desired,
	backend,
	onOperator,
	settle,
	log,
	onChange,
	now = () => performance.now(),
	random = Math.random,
}: LoopOptions): Loop {
	const abort = new AbortController();
	const isApplying = proxy.mode === "apply";
	const report = createReporter(log, proxy.name);
	let policy = settle;
	let settling = changed(SETTLED, now());
	let limiter: ReloadLimiter;
	/** When to look again although nothing changed: after a failure, or once the limiter allows. */
	let againAtMs: number | undefined;
	/** Whether it is the limiter that `againAtMs` waits for. */
	let limited = false;
	let failures = 0;
	/** The oldest change that has not reached the proxy. */
	let cause: LoopChange | undefined;
	let status: ProxyStatus = { state: "starting" };
	let wake = () => {};
	let counts = NO_COUNTS;
	/** One at a time changes the running proxy; a file is checked, and a reload awaited, outside of it. */
	const inTurn = createTurns();

	const setStatus = (next: ProxyStatus) => {
		status = next;
		onChange?.(next);
	};

	/** Until the time has come, or something happens. */
	const pause = (untilMs: number | undefined) =>
		new Promise<void>((resolve) => {
			const done = () => {
				clearTimeout(timer);
				resolve();
			};
			const timer = untilMs === undefined ? undefined : setTimeout(done, Math.ceil(untilMs - now()));
			wake = done;
		});

	/** Time of the next round; undefined when there is nothing to do. */
	const nextMs = (): number | undefined => {
		const times = [dueAtMs(settling, policy), againAtMs].filter((time) => time !== undefined);
		return times.length > 0 ? Math.min(...times) : undefined;
	};

	const again = (): number => {
		failures += 1;
		const delayMs = retryDelayMs(failures, random());
		againAtMs = now() + delayMs;
		return delayMs;
	};

	const fail = (error: unknown, serving: string) => {
		const why = messageOf(error);
		counts = countFailed(counts);
		report.failed({ why, serving, retryInMs: again() });
		setStatus({ state: "failed", why, serving });
	};

	/** The end of a round that did what could be done. */
	const finish = (unreachable: string | undefined) => {
		if (unreachable !== undefined) {
			report.unreachable({ why: unreachable, retryInMs: again() });
			setStatus({ state: "unreachable", why: unreachable });
			return;
		}
		failures = 0;
		report.fine();
		setStatus({ state: "applied" });
	};

	/** One round: read, plan, and carry out. False when the change still waits to reach the proxy. */
	const round = async (since: LoopChange | undefined): Promise<boolean> => {
		const beginMs = now();
		if (desired() === undefined) return true;
		const actual = await driver.read(abort.signal);
		const readMs = now();
		const byOthers = driver.operatorChanges?.(actual) ?? [];
		if (byOthers.length > 0) onOperator?.(byOthers);
		let planMs = readMs;
		// Planned and begun in one turn, so that no single change comes in between.
		const { plan, urgent } = await inTurn(async () => {
			const made = driver.plan(actual, desired() ?? []);
			planMs = now();
			const steps = made.urgent ?? [];
			const isDue = isApplying && steps.length > 0;
			return { plan: made, urgent: isDue ? await driver.run(steps, abort.signal) : undefined };
		});
		if (!isApplying) {
			observe(plan);
			return true;
		}
		const tell = (stagesMs: StageTimes, reload: boolean) => {
			const sinceMs = since?.atMs ?? beginMs;
			const totalMs = now() - sinceMs;
			const stages = { settle: beginMs - sinceMs, read: readMs - beginMs, render: planMs - readMs, ...stagesMs };
			applied(plan.diff, since, { reload, stagesMs: stages, totalMs });
		};
		if (urgent?.kind === "failed") {
			fail(urgent.error, urgent.serving);
			// Something else than expected: read back and plan anew, the first time at once.
			if (failures === 1) againAtMs = now();
			return false;
		}
		if (plan.steps.length === 0) {
			if (urgent !== undefined) tell(urgent.stagesMs, false);
			finish(plan.unreachable);
			return true;
		}
		if (plan.reload) {
			const allowedMs = reloadAllowedAtMs(limiter, plan.diff.left.length > 0, proxy.reloadInterval);
			if (allowedMs > planMs) {
				if (urgent !== undefined) tell(urgent.stagesMs, false);
				againAtMs = allowedMs;
				limited = true;
				return false;
			}
			limiter = reloaded(limiter, planMs, proxy.reloadInterval);
		}
		const outcome = await driver.run(plan.steps, abort.signal);
		if (outcome.kind === "failed") {
			fail(outcome.error, outcome.serving);
			return false;
		}
		tell({ ...urgent?.stagesMs, ...outcome.stagesMs }, plan.reload);
		finish(plan.unreachable);
		// A new worker starts from its file: what changed since, and what no file can say, is to be looked at.
		if (plan.reload && plan.urgent !== undefined) againAtMs = now();
		return true;
	};

	const applied = (
		diff: ServerDiff,
		since: LoopChange | undefined,
		line: Pick<AppliedLine, "reload" | "stagesMs" | "totalMs">,
	) => {
		counts = countApplied(counts, diff, line, Date.now());
		report.applied({ ...diff, ...line, sinceKernelMs: since?.sinceKernelMs?.() });
	};

	const queue =
		driver.fast &&
		createFastQueue({
			fast: driver.fast,
			backend,
			inTurn,
			signal: abort.signal,
			onBegin() {
				const since = cause;
				const beginMs = now();
				cause = undefined;
				return (outcome) => {
					const nowMs = now();
					const sinceMs = since?.atMs ?? beginMs;
					if (outcome.joined.length + outcome.left.length > 0) {
						const stagesMs = { settle: beginMs - sinceMs, runtime: nowMs - beginMs };
						applied(outcome, since, { reload: false, stagesMs, totalMs: nowMs - sinceMs });
					}
					if (outcome.kind === "applied") {
						// The file follows once it is quiet.
						settling = changed({ ...settling, activeMs: settling.waiting?.firstMs ?? nowMs }, nowMs);
					} else {
						cause = since ?? cause;
						settling = changed(SETTLED, sinceMs);
					}
					wake();
				};
			},
		});

	const observe = ({ urgent = [], steps, diff, isFirst = false, unreachable }: Plan<unknown>) => {
		const lines = [...urgent, ...steps].map((step) => driver.describe(step));
		report.observed({ ...diff, steps: lines, isFirst });
		if (unreachable === undefined) {
			failures = 0;
			report.fine();
		} else {
			report.unreachable({ why: unreachable, retryInMs: again() });
		}
		setStatus({ state: "observing", steps: lines });
	};

	const run = async () => {
		while (!abort.signal.aborted) {
			const dueMs = nextMs();
			if (dueMs === undefined || dueMs > now()) {
				await pause(dueMs);
				continue;
			}
			settling = acted(settling, now());
			againAtMs = undefined;
			limited = false;
			const since = cause;
			cause = undefined;
			try {
				if (!(await round(since))) cause = since ?? cause;
			} catch (error) {
				if (abort.signal.aborted) return;
				cause = since ?? cause;
				fail(error, "what it has, which was not touched");
			}
		}
	};

	// Not before the caller has the loop.
	const running = Promise.resolve().then(run);
	const onRestart = () => {
		againAtMs = now();
		wake();
	};
	const watch = isApplying ? driver.watch?.(onRestart) : undefined;

	return {
		notify(change) {
			cause ??= change;
			if (queue !== undefined && change.touched !== undefined && status.state !== "starting" && isApplying) {
				queue.add(change.touched);
				return;
			}
			// Until the limiter allows, only a removal can be sooner: spare the work of finding that out each time.
			if (limited && !change.removal) return;
			settling = changed(settling, now());
			wake();
		},
		get status() {
			return status;
		},
		get counts() {
			return counts;
		},
		setSettle(next) {
			policy = next;
			wake();
		},
		async close() {
			abort.abort();
			watch?.close();
			wake();
			await running;
			await queue?.idle;
			await driver.close();
		},
	};
}
