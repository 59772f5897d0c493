/** The main thread's hold on the worker thread: start, acknowledge, stop. One worker lives at a time. */

import { Worker } from "node:worker_threads";
import { SolistendError } from "../errors.js";
import type { KernelEvent } from "../listeners/event.js";
import { openEventfd } from "./libbpf.js";
import { MAX_UNACKNOWLEDGED, Shared, type WatcherInput, type WatcherMessage } from "./protocol.js";
import type { KernelLosses } from "./record.js";

/** A worker that does not end within this time is stuck in the kernel; only the end of the process mends that. */
const STOP_TIMEOUT_MS = 1000;

/** Records are short-lived and the batches small: more young space would only be resident memory. */
const WORKER_YOUNG_MB = 2;

export interface WatcherOptions {
	readonly eventsFd: number;
	readonly lossesFd: number;
	/** A batch in the kernel's order; `undecodable` records came with it that are of another version or damaged. */
	onEvents(events: readonly KernelEvent[], undecodable: number): void;
	/** The kernel's counters have grown. */
	onLosses(losses: KernelLosses): void;
	/** The worker ended although nobody asked it to. Events may be lost; another one can be started. */
	onDeath(reason: string): void;
}

export interface Watcher {
	/**
	 * Stops the worker; it ends within milliseconds.
	 *
	 * @throws SolistendError when it is stuck: the process must end.
	 */
	close(): Promise<void>;
}

/** Starts the worker on maps that outlive it. */
export function startWatcher({ eventsFd, lossesFd, onEvents, onLosses, onDeath }: WatcherOptions): Watcher {
	const wake = openEventfd();
	const shared = new SharedArrayBuffer(Shared.length * Int32Array.BYTES_PER_ELEMENT);
	const counters = new Int32Array(shared);
	const input: WatcherInput = { eventsFd, lossesFd, wakeFd: wake.fd, shared };
	const worker = new Worker(new URL("./worker.js", import.meta.url), {
		name: "solistend-watcher",
		workerData: input,
		resourceLimits: { maxYoungGenerationSizeMb: WORKER_YOUNG_MB },
	});

	let reason: string | undefined;
	let stopping = false;
	let gone = false;
	const ended = new Promise<void>((resolve) => {
		worker.once("exit", () => {
			gone = true;
			wake.close();
			resolve();
			if (!stopping) onDeath(reason ?? "the worker thread ended");
		});
	});
	worker.on("error", (error: Error) => {
		reason = error.message;
	});

	const acknowledge = (records: number) => {
		// Added first, then looked: the worker posts first, then looks. So one of the two sees the other, and a worker
		// that found no room is always woken.
		const acknowledged = Atomics.add(counters, Shared.acknowledged, records);
		const before = (Atomics.load(counters, Shared.posted) - acknowledged) | 0;
		if (before >= MAX_UNACKNOWLEDGED && !gone) wake.signal();
	};

	worker.on("message", (message: WatcherMessage) => {
		switch (message.type) {
			case "events":
				onEvents(message.events, message.records - message.events.length - message.limited.length);
				acknowledge(message.records);
				return;
			case "losses":
				onLosses(message.losses);
				return;
			case "failed":
				reason = message.message;
				return;
			default:
				message satisfies never;
		}
	});

	return {
		async close() {
			stopping = true;
			if (gone) return;
			Atomics.store(counters, Shared.stop, 1);
			wake.signal();
			const stuck = Symbol("stuck");
			let timer: NodeJS.Timeout | undefined;
			const timeout = new Promise<typeof stuck>((resolve) => {
				timer = setTimeout(resolve, STOP_TIMEOUT_MS, stuck);
			});
			const outcome = await Promise.race([ended, timeout]);
			clearTimeout(timer);
			if (outcome === stuck) {
				throw new SolistendError(
					"sensor",
					`the watcher thread did not stop within ${STOP_TIMEOUT_MS} ms (the process must end)`,
				);
			}
		},
	};
}
