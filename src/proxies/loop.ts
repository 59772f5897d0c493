/**
 * One serial loop per proxy: whatever changes marks it dirty, and it makes the proxy equal to the newest desired set at
 * its own pace: settled, limited in reloads, with growing pauses after a failure. Where the proxy has a fast lane, single
 * backends go through that at once, and the loop follows with the file. Knows no kind of proxy, and not where backends
 * come from.
 */

import type { Logger } from "pino";
import type { Backend, BackendRef, DesiredChange, DesiredSet } from "../backends/backend.js";
import { acted, changed, dueAtMs, isFirst, SETTLED, type SettlePolicy } from "../backends/settle.js";
import type { ProxyConfig } from "../config/schema.js";
import { retryDelayMs } from "./backoff.js";
import type { LoopCounts } from "./counts.js";
import type { Driver, OperatorChange } from "./driver.js";
import { createFastQueue, createTurns, type OnOutcome } from "./fast-queue.js";
import { createLedger, type ProxyStatus } from "./ledger.js";
import { createNewcomers } from "./newcomers.js";
import { createRounds, type RoundEnd, TASKS, type Task } from "./round.js";

export type { ProxyStatus } from "./ledger.js";

export interface LoopOptions {
	readonly proxy: Pick<ProxyConfig, "name" | "mode" | "reloadInterval" | "services">;
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
	/** The desired set changed; in the clock of `now`. */
	notify(change: DesiredChange): void;
	/** Looks whether the proxy still has what it was given. */
	look(): void;
	readonly status: ProxyStatus;
	readonly counts: LoopCounts;
	setSettle(policy: SettlePolicy): void;
	/** Stops waiting and running; the proxy keeps what it has. Resolves when nothing of it runs any more. */
	close(): Promise<void>;
}

/** How long a last look at what persons set may take. */
const LAST_LOOK_MS = 1000;

/** Opens the loop and looks at the proxy at once. Closes the driver with itself. */
export function openLoop(options: LoopOptions): Loop {
	const { proxy, driver, desired, backend, log, onChange } = options;
	const { now = () => performance.now(), random = Math.random } = options;
	const abort = new AbortController();
	const isApplying = proxy.mode === "apply";
	/** One that is only observed is somebody else's: what they tell it is no word to us. */
	const onOperator = isApplying ? options.onOperator : undefined;
	const ledger = createLedger({ log, proxy: proxy.name, now, onChange });
	/** One at a time changes the running proxy; a file is checked, and a reload awaited, outside of it. */
	const inTurn = createTurns();
	let policy = options.settle;
	let settling = changed(SETTLED, now());
	/** When to look again although nothing changed: after a failure, or once the limiter allows. */
	let againAtMs: number | undefined;
	/** When newcomers are old enough; what changes until then is gathered as ever, and they go with it. */
	let grownAtMs: number | undefined;
	/** Whether it is a reload that has to wait that `againAtMs` is for. */
	let limited = false;
	let failures = 0;
	/** The oldest change that has not reached the proxy. */
	let cause: DesiredChange | undefined;
	let task: Task = "plan";
	let wake = () => {};

	const ask = (more: Task) => {
		if (TASKS.indexOf(more) > TASKS.indexOf(task)) task = more;
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
		const dueMs = dueAtMs(settling, policy);
		const times = [dueMs ?? grownAtMs, againAtMs].filter((time) => time !== undefined);
		return times.length > 0 ? Math.min(...times) : undefined;
	};

	const again = (): number => {
		failures += 1;
		const delayMs = retryDelayMs(failures, random());
		againAtMs = now() + delayMs;
		return delayMs;
	};

	/** Takes the end of a round; whether the change reached the proxy. */
	const end = (came: RoundEnd): boolean => {
		switch (came.kind) {
			case "idle":
				return true;
			case "done":
				failures = 0;
				ledger.fine();
				if (came.atOnce === true) lookAtOnce();
				return true;
			case "unreachable":
				ledger.unreachable(came.why, again());
				return true;
			case "limited":
				againAtMs = came.untilMs;
				limited = true;
				return false;
			case "failed":
				ledger.failed(came.error, came.serving, again(), came.stage);
				// Read back and plan anew, the first time at once.
				if (came.unexpected === true && failures === 1) againAtMs = now();
				return false;
			case "observed": {
				const { urgent = [], steps, unreachable } = came.plan;
				if (unreachable === undefined) failures = 0;
				else ledger.unreachable(unreachable, again());
				ledger.observed(
					came.plan,
					[...urgent, ...steps].map((step) => driver.describe(step)),
				);
				return true;
			}
			default:
				return came satisfies never;
		}
	};

	const lookAtOnce = () => {
		ask("plan");
		againAtMs = now();
		wake();
		if (fast !== undefined) goAhead();
	};

	const fast = isApplying ? driver.fast : undefined;
	/** The fast lane brings in whoever comes at once, and takes them out again, without a reload. */
	const newcomers = isApplying && fast === undefined ? createNewcomers(backend) : undefined;
	const rounds = createRounds({
		proxy,
		driver,
		desired,
		onOperator,
		ledger,
		inTurn,
		forReload: (set) => newcomers?.grown(set, now(), policy.quiet) ?? { set, allAtMs: undefined },
		onGiven: (set) => newcomers?.handed(set),
		signal: abort.signal,
		now,
	});

	let isBehind = false;
	let ahead: Promise<void> | undefined;
	const catchUp = async () => {
		while (isBehind && rounds.isAtFile && !abort.signal.aborted) {
			isBehind = false;
			const since = cause;
			cause = undefined;
			// The round that was asked for says what is wrong.
			if (!(await rounds.ahead(since).catch(() => false))) cause = since ?? cause;
		}
		ahead = undefined;
	};
	/** The running proxy does not wait for the file of a round: what commands can do is done meanwhile. */
	const goAhead = () => {
		isBehind = rounds.isAtFile;
		if (isBehind) ahead ??= catchUp();
	};

	/** The fast lane takes what waits; what it comes to. */
	const onBegin = (): OnOutcome => {
		const since = cause;
		const beginMs = now();
		cause = undefined;
		return (outcome) => {
			const nowMs = now();
			if (outcome.joined.length + outcome.left.length > 0) {
				ledger.applied(outcome, { since, beginMs, stagesMs: { runtime: nowMs - beginMs }, reload: false });
			}
			if (outcome.kind === "applied") {
				// The file follows once it is quiet.
				settling = changed({ ...settling, activeMs: settling.waiting?.firstMs ?? nowMs }, nowMs);
			} else {
				ledger.behind(outcome.why);
				ask("plan");
				cause = since ?? cause;
				// At once, unless there is trouble, which has a pace of its own.
				settling = changed(ledger.status.state === "applied" ? SETTLED : settling, nowMs);
				goAhead();
			}
			wake();
		};
	};
	const queue = fast && createFastQueue({ fast, backend, inTurn, signal: abort.signal, onBegin });

	const run = async () => {
		while (!abort.signal.aborted) {
			const dueMs = nextMs();
			if (dueMs === undefined || dueMs > now()) {
				await pause(dueMs);
				continue;
			}
			const mayWait = !isFirst(settling, policy.quiet);
			settling = acted(settling, now());
			againAtMs = undefined;
			grownAtMs = undefined;
			limited = false;
			const since = cause;
			const asked = task;
			cause = undefined;
			task = "follow";
			let isThrough = false;
			try {
				isThrough = end(await rounds.round(asked, since, mayWait));
			} catch (error) {
				if (abort.signal.aborted) return;
				ledger.failed(error, "what it has, which was not touched", again());
			}
			grownAtMs = againAtMs === undefined ? newcomers?.dueMs(policy.quiet) : undefined;
			if (isThrough && grownAtMs === undefined) continue;
			cause = since ?? cause;
			ask("plan");
		}
	};

	// Not before the caller has the loop.
	const running = Promise.resolve().then(run);
	const watch = isApplying ? driver.watch?.(lookAtOnce) : undefined;
	const isServed = ({ service }: BackendRef) => proxy.services?.includes(service) ?? true;

	return {
		notify(change) {
			const touched = change.touched?.filter(isServed);
			if (touched?.length === 0) return;
			cause ??= change;
			// What comes before the first round may be in the proxy from an earlier run: that is no newcomer.
			if (ledger.status.state !== "starting") newcomers?.touched(touched ?? [], now());
			// The first round may still be at the file, which can take long.
			if (queue !== undefined && touched !== undefined && rounds.hasPlanned) {
				queue.add(touched);
				return;
			}
			ask("plan");
			// Until the reload may be, only a removal can make it sooner: spare the work of finding that out each time.
			if (limited && !change.removal) return;
			settling = changed(settling, now());
			wake();
		},
		look() {
			ask("look");
			settling = changed(settling, now());
			wake();
		},
		get status() {
			return ledger.status;
		},
		get counts() {
			return ledger.counts;
		},
		setSettle(next) {
			policy = next;
			wake();
		},
		async close() {
			watch?.close();
			if (onOperator !== undefined && driver.take !== undefined && ledger.status.state === "applied") {
				// What a person set since the last look must not be lost with us.
				const actual = await driver.read(AbortSignal.timeout(LAST_LOOK_MS)).catch(() => undefined);
				const byOthers = actual === undefined ? [] : await inTurn(async () => driver.take?.(actual).byOthers ?? []);
				if (byOthers.length > 0) onOperator(byOthers);
			}
			abort.abort();
			wake();
			await running;
			await queue?.idle;
			await ahead;
			await driver.close();
		},
	};
}
