/**
 * The main thread's hold on the worker thread: start, acknowledge, ask whether it lives, stop. One worker lives at a time.
 * Knows nothing of what follows when it dies.
 */

import { Worker } from "node:worker_threads";
import { SolistendError } from "../errors.js";
import type { KernelEvent } from "../listeners/event.js";
import { openEventfd } from "./libbpf.js";
import { MAX_UNACKNOWLEDGED, Shared, type WatcherInput, type WatcherMessage } from "./protocol.js";
import type { KernelLosses } from "./record.js";

/**
 * How often the worker is asked whether it lives. It has until the next question to answer, which takes it microseconds:
 * so one that hangs is noticed within two of these.
 */
const PING_MS = 450;

/** One that has not answered for so long is ended; on a busy machine it may have been late. */
const GIVE_UP_MS = 2000;

/** The main thread is said to have stood still. */
const STALL_MS = 1000;

/** A worker that reads no ring buffer this long after its start hangs. */
const START_TIMEOUT_MS = 10_000;

/** How long a worker has to end by itself, and then by force. One that outlives both is stuck in the kernel. */
const STOP_TIMEOUT_MS = 500;
const TERMINATE_TIMEOUT_MS = 1000;

/** Records are short-lived and the batches small: more young space would only be resident memory. */
const WORKER_YOUNG_MB = 2;

/** The worker as it was built. */
const WORKER_URL = new URL("./worker.js", import.meta.url);

export interface WatcherOptions {
	readonly eventsFd: number;
	readonly lossesFd: number;
	/** What the worker runs; default: the watcher. Tests put faulty ones here. */
	readonly workerUrl?: URL | undefined;
	/** It reads the ring buffer now. */
	onWatching(): void;
	/** A batch in the kernel's order; `undecodable` records came with it that are of another version or damaged. */
	onEvents(events: readonly KernelEvent[], undecodable: number): void;
	/** The kernel's counters have grown. */
	onLosses(losses: KernelLosses): void;
	/** So many times more the worker left records in the ring buffer, since the main thread took in too few. */
	onBehind(times: number): void;
	/** The main thread itself did nothing for so long. */
	onStall(ms: number): void;
	/** The worker does not answer, or does not start. `onAnswer` follows, or it is ended: `onDeath` or `onStuck`. */
	onHung(reason: string): void;
	/** It was only late: it answers again. */
	onAnswer(): void;
	/** The worker ended although nobody asked it to. Events may be lost; another one can be started. */
	onDeath(reason: string): void;
	/** The worker hangs and can't be ended: only the end of the process mends that. */
	onStuck(error: SolistendError): void;
}

export interface Watcher {
	/**
	 * Stops the worker; it ends within milliseconds.
	 *
	 * @throws SolistendError with the code `stuck` when it does not end: the process must.
	 */
	close(): Promise<void>;
}

/** Starts the worker on maps that outlive it. */
export function startWatcher(options: WatcherOptions): Watcher {
	const { eventsFd, lossesFd, workerUrl = WORKER_URL } = options;
	const wake = openEventfd();
	const shared = new SharedArrayBuffer(Shared.length * Int32Array.BYTES_PER_ELEMENT);
	const counters = new Int32Array(shared);
	const input: WatcherInput = { eventsFd, lossesFd, wakeFd: wake.fd, shared };
	const worker = new Worker(workerUrl, {
		name: "solistend-watcher",
		workerData: input,
		resourceLimits: { maxYoungGenerationSizeMb: WORKER_YOUNG_MB },
	});

	const startedMs = performance.now();
	let lastTickMs = startedMs;
	let pingedMs = startedMs;
	let reason: string | undefined;
	let isWatching = false;
	/** It left a ping unanswered, and was told of. */
	let isLate = false;
	let isClosing = false;
	let gone = false;
	let behind = 0;

	const ended = new Promise<true>((resolve) => {
		worker.once("exit", () => {
			gone = true;
			clearInterval(pinging);
			process.off("exit", askToEnd);
			wake.close();
			resolve(true);
			if (!isClosing) options.onDeath(reason ?? "the worker thread ended");
		});
	});
	worker.on("error", (error: Error) => {
		reason ??= error.message;
	});

	const endsWithin = async (ms: number): Promise<boolean> => {
		let timer: NodeJS.Timeout | undefined;
		const timeout = new Promise<false>((resolve) => {
			timer = setTimeout(resolve, ms, false);
		});
		const hasEnded = await Promise.race([ended, timeout]);
		clearTimeout(timer);
		return hasEnded;
	};

	const askToEnd = () => {
		Atomics.store(counters, Shared.stop, 1);
		wake.signal();
	};
	// Node waits for its threads, whatever the process ends by; this one waits in the kernel.
	process.once("exit", askToEnd);

	/** By itself where it can, so that it frees the ring buffer; else by force. False when it is stuck. */
	const endWorker = async (): Promise<boolean> => {
		clearInterval(pinging);
		askToEnd();
		if (await endsWithin(STOP_TIMEOUT_MS)) return true;
		void worker.terminate();
		return endsWithin(TERMINATE_TIMEOUT_MS);
	};
	let ending: Promise<boolean> | undefined;
	const end = () => {
		ending ??= endWorker();
		return ending;
	};

	const giveUp = async (why: string) => {
		reason = why;
		if (!isLate) options.onHung(why);
		if (!(await end()) && !isClosing) options.onStuck(stuck());
	};

	const tick = () => {
		const nowMs = performance.now();
		const lateMs = nowMs - lastTickMs - PING_MS;
		lastTickMs = nowMs;
		const hasAnswered = Atomics.load(counters, Shared.answered) === Atomics.load(counters, Shared.pinged);
		if (lateMs >= STALL_MS) options.onStall(lateMs);
		if (lateMs >= PING_MS) {
			// Whoever stopped this thread may have stopped the other one, too: it gets one more turn.
		} else if (!hasAnswered) {
			if (nowMs - pingedMs >= GIVE_UP_MS) {
				void giveUp(`it did not answer within ${GIVE_UP_MS} ms`);
				return;
			}
			if (!isLate) options.onHung(`it did not answer within ${PING_MS} ms`);
			isLate = true;
		} else if (!isWatching && nowMs - startedMs >= START_TIMEOUT_MS) {
			void giveUp(`it did not start within ${START_TIMEOUT_MS} ms`);
			return;
		}
		if (isWatching && hasAnswered) {
			if (isLate) options.onAnswer();
			isLate = false;
			Atomics.add(counters, Shared.pinged, 1);
			pingedMs = nowMs;
		}
		wake.signal();
	};
	const pinging = setInterval(tick, PING_MS);

	const acknowledge = (records: number) => {
		// Added first, then looked: the worker posts first, then looks. So one of the two sees the other, and a worker
		// that found no room is always woken.
		const acknowledged = Atomics.add(counters, Shared.acknowledged, records);
		const before = (Atomics.load(counters, Shared.posted) - acknowledged) | 0;
		if (before >= MAX_UNACKNOWLEDGED && !gone) wake.signal();
		const times = Atomics.load(counters, Shared.behind);
		if (times === behind) return;
		options.onBehind((times - behind) | 0);
		behind = times;
	};

	worker.on("message", (message: WatcherMessage) => {
		switch (message.type) {
			case "watching":
				isWatching = true;
				options.onWatching();
				return;
			case "events":
				options.onEvents(message.events, message.records - message.events.length - message.limited.length);
				acknowledge(message.records);
				return;
			case "losses":
				options.onLosses(message.losses);
				return;
			case "failed":
				reason ??= message.message;
				return;
			default:
				message satisfies never;
		}
	});

	return {
		async close() {
			isClosing = true;
			if (!gone && !(await end())) throw stuck();
		},
	};
}

const stuck = () =>
	new SolistendError(
		"stuck",
		`the watcher thread did not end within ${STOP_TIMEOUT_MS + TERMINATE_TIMEOUT_MS} ms (the process must end)`,
	);
