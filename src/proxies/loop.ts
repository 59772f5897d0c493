/**
 * One serial loop per proxy: whatever changes marks it dirty, and it makes the proxy equal to the newest desired set at
 * its own pace: settled, limited in reloads, with growing pauses after a failure. Knows no kind of proxy, and not where
 * backends come from.
 */

import type { Logger } from "pino";
import type { DesiredSet } from "../backends/backend.js";
import { acted, changed, dueAtMs, SETTLED, type SettlePolicy } from "../backends/settle.js";
import type { ProxyConfig } from "../config/schema.js";
import { messageOf } from "../errors.js";
import { retryDelayMs } from "./backoff.js";
import type { Driver, Plan } from "./driver.js";
import { type ReloadLimiter, reloadAllowedAtMs, reloaded } from "./reload-limiter.js";
import { createReporter } from "./report.js";

/** Something changed in the desired set. */
export interface LoopChange {
	/** When it was known, in the clock of `now`. */
	readonly atMs: number;
	/** Whether a backend left. */
	readonly removal: boolean;
	/** From the kernel's event to `atMs`, where one event caused it. */
	readonly kernelToHereMs?: number;
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
	setSettle(policy: SettlePolicy): void;
	/** Stops waiting and running; the proxy keeps what it has. Resolves when nothing of it runs any more. */
	close(): Promise<void>;
}

/** Opens the loop and looks at the proxy at once. Closes the driver with itself. */
export function openLoop({
	proxy,
	driver,
	desired,
	settle,
	log,
	onChange,
	now = () => performance.now(),
	random = Math.random,
}: LoopOptions): Loop {
	const abort = new AbortController();
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
		const set = desired();
		if (set === undefined) return true;
		const actual = await driver.read(abort.signal);
		const readMs = now();
		const plan = driver.plan(actual, set);
		const planMs = now();
		if (proxy.mode === "observe") {
			observe(plan);
			return true;
		}
		if (plan.steps.length === 0) {
			finish(plan.unreachable);
			return true;
		}
		if (plan.reload) {
			const allowedMs = reloadAllowedAtMs(limiter, plan.diff.left.length > 0, proxy.reloadInterval);
			if (allowedMs > planMs) {
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
		const sinceMs = since?.atMs ?? beginMs;
		const totalMs = now() - sinceMs;
		report.applied({
			...plan.diff,
			reload: plan.reload,
			stagesMs: { settle: beginMs - sinceMs, read: readMs - beginMs, render: planMs - readMs, ...outcome.stagesMs },
			totalMs,
			sinceKernelMs: since?.kernelToHereMs === undefined ? undefined : totalMs + since.kernelToHereMs,
		});
		finish(plan.unreachable);
		return true;
	};

	const observe = ({ steps, diff, unreachable }: Plan<unknown>) => {
		const lines = steps.map((step) => driver.describe(step));
		report.observed({ ...diff, steps: lines });
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

	return {
		notify(change) {
			cause ??= change;
			// Until the limiter allows, only a removal can be sooner: spare the work of finding that out each time.
			if (limited && !change.removal) return;
			settling = changed(settling, now());
			wake();
		},
		get status() {
			return status;
		},
		setSettle(next) {
			policy = next;
			wake();
		},
		async close() {
			abort.abort();
			wake();
			await running;
			await driver.close();
		},
	};
}
