/**
 * The sensor as others see it: a stream of events and of reads of the kernel's own table. Attach, seed, read, stream; any
 * loss leads to a read, and a worker that died or hangs to another one. Knows nothing of services or proxies.
 */

import { messageOf, type SolistendError } from "../errors.js";
import type { FullQueue, KernelEvent, Read } from "../listeners/event.js";
import type { Hooks } from "./hooks.js";
import { openKernel } from "./kernel.js";
import { type Losses, type LossReason, lossText, lostSince, NO_LOSSES } from "./losses.js";
import { createReadPace } from "./read-pace.js";
import type { KernelLosses } from "./record.js";
import { startWatcher, type Watcher } from "./watcher.js";

export type { Losses } from "./losses.js";

/** After a read that failed. */
const READ_AGAIN_MS = 250;

/** After events, when what was lost beside them is looked for: longer than the 100 ms between two marks of a limited namespace. */
const LOOK_MS = 120;

/** Before another worker is started: doubled from the first to the last, and begun anew after one that lived so long. */
const RESTART_MS = { first: 100, last: 5000, lived: 10_000 } as const;

/** Whether changes are told as they happen. `sinceMs` is of the clock of `performance.now()`. */
export type SensorState =
	| { readonly state: "up" }
	/** Nothing is told: what was told last may be no longer so. `why` is a clause. */
	| { readonly state: "down"; readonly sinceMs: number; readonly why: string };

export interface SensorOptions {
	/** The compiled BPF object; default: the packaged one. */
	readonly objectPath?: string;
	/** What the worker thread runs; default: the watcher. Tests put faulty ones here. */
	readonly workerUrl?: URL | undefined;
	/** Changes, in the order of the kernel. */
	onEvents(events: readonly KernelEvent[]): void;
	/** The kernel's table: once after the seed, after a loss, and on request. */
	onRead(read: Read): void;
	/** Something went wrong and is being mended; what the sensor fed stays as it is meanwhile. */
	onTrouble(message: string, losses: Losses): void;
	/** It is down, or up again: then the table was read twice before, so that what is absent is known to be. */
	onState?(state: SensorState): void;
	/** The worker hangs and can't be ended: the process must. It stays down. */
	onStuck?(error: SolistendError): void;
}

export interface Sensor {
	state(): SensorState;
	losses(): Losses;
	hooks(): Hooks;
	/** The signals, by number, whose delivery to a process that listens is told as `stopping`. None at first. */
	setStopSignals(signals: readonly number[]): void;
	/** Asks for a read, soon; several requests make one read. */
	requestRead(): void;
	/** The listeners whose accept queue is full now. */
	readFullQueues(): FullQueue[];
	/** Stops the worker, detaches the programs, frees the maps; further calls wait for the same. */
	close(): Promise<void>;
}

/**
 * Starts the sensor. The first `onRead` has happened when it returns.
 *
 * @throws SolistendError when the host lacks something (see `checkRequirements`) or the kernel refuses a program.
 */
export function openSensor(options: SensorOptions): Sensor {
	const kernel = openKernel(options.objectPath);
	const pace = createReadPace();
	let losses = NO_LOSSES;
	/** Of those that were missed, for how many the open files were looked through. */
	let soughtFor = 0;
	/** As of the last time that anybody was told. */
	let told = NO_LOSSES;
	let state: SensorState = { state: "up" };
	let closed = false;
	let startedMs = 0;
	let pauseMs = 0;
	let readTimer: NodeJS.Timeout | undefined;
	let restartTimer: NodeJS.Timeout | undefined;
	let lookTimer: NodeJS.Timeout | undefined;
	/** Somebody asked for another look while one was due. */
	let isLookDue = false;

	/** One line for each reason, and in a flood of losses no more of them than there are reads. */
	const tell = () => {
		const grown = lostSince(told, losses);
		told = losses;
		for (const { reason, count } of grown) options.onTrouble(lossText(reason, count), losses);
	};

	/** Something was lost, or may have been. */
	const lose = (next: Partial<Losses>) => {
		const isFirst = !pace.isLosing(performance.now());
		losses = { ...losses, ...next };
		pace.lost(performance.now());
		if (isFirst) tell();
		requestRead();
	};
	const loseMore = (reason: Exclude<LossReason, keyof KernelLosses>, count = 1) =>
		lose({ [reason]: losses[reason] + count });

	/** The kernel's counters only grow; what the worker says of them may be older than a look from here. */
	const compare = (seen: KernelLosses) => {
		const latest = { ...losses, ...latestOf(losses, seen) };
		if (lostSince(losses, latest).length > 0) lose(latest);
	};

	/**
	 * A program that is preempted, as newer kernels let it be, holds the place for its CPU: another task's change is passed
	 * over there. Only the kernel knows, and nothing is told; the one that was preempted is, mostly later.
	 */
	const lookForMissed = () => {
		const missed = kernel.missed();
		if (missed > losses.missed) lose({ missed });
	};

	/** Reads the table once; false when it can't be read. Whatever was lost meanwhile leads to another read. */
	const read = (): boolean => {
		const beganMs = performance.now();
		let result: Read;
		try {
			// What opened unseen has no row.
			if (losses.missed > soughtFor) kernel.seed();
			soughtFor = losses.missed;
			result = kernel.read();
			compare(kernel.losses());
			lookForMissed();
		} catch (error) {
			options.onTrouble(messageOf(error), losses);
			return false;
		}
		options.onRead(result);
		pace.took(beganMs, performance.now());
		tell();
		return true;
	};

	const readIn = (ms: number) => {
		if (readTimer === undefined && !closed) readTimer = setTimeout(readWhenDue, ms);
	};

	const readWhenDue = () => {
		readTimer = undefined;
		if (state.state === "down") return;
		// As long as losses grow the read waits a little: one in their midst is outdated at once. Whether they do is asked of
		// the kernel: this thread or the other one may have stood still, so that nobody told of them yet.
		compare(kernel.losses());
		const waitMs = pace.waitMs(performance.now());
		if (waitMs > 0) readIn(waitMs);
		else if (!read()) readIn(READ_AGAIN_MS);
	};

	const requestRead = () => {
		// Whoever asks while it is down is served by the reads with which that ends.
		if (state.state === "up") readIn(pace.waitMs(performance.now()));
	};

	const enter = (next: SensorState) => {
		state = next;
		options.onState?.(next);
	};

	const down = (why: string) => {
		if (state.state === "up") enter({ state: "down", sinceMs: performance.now(), why });
	};

	/** What happened meanwhile is read before anything goes on; absence counts once two reads agree. */
	const recover = () => {
		if (closed || state.state === "up") return;
		if (read() && read()) {
			enter({ state: "up" });
			requestRead();
		} else restartTimer = setTimeout(recover, READ_AGAIN_MS);
	};

	const start = (): Watcher => {
		startedMs = performance.now();
		return startWatcher({
			eventsFd: kernel.eventsFd,
			lossesFd: kernel.lossesFd,
			workerUrl: options.workerUrl,
			onWatching: recover,
			onEvents(events, damaged) {
				if (damaged > 0) loseMore("undecodable", damaged);
				options.onEvents(events);
				lookLater();
			},
			onLosses: compare,
			onBehind: (times) => loseMore("workerBehind", times),
			onStall: () => loseMore("mainStalls"),
			onHung(reason) {
				clearTimeout(restartTimer);
				down(`the watcher thread hangs: ${reason}`);
			},
			onAnswer: recover,
			onDeath(reason) {
				clearTimeout(restartTimer);
				const livedMs = performance.now() - startedMs;
				pauseMs = livedMs >= RESTART_MS.lived ? 0 : pauseMs;
				pauseMs = Math.min(Math.max(RESTART_MS.first, 2 * pauseMs), RESTART_MS.last);
				down(`the watcher thread died: ${reason}`);
				losses = { ...losses, workerDeaths: losses.workerDeaths + 1 };
				told = { ...told, workerDeaths: losses.workerDeaths };
				options.onTrouble(`the watcher thread died: ${reason} (starting another one in ${pauseMs} ms)`, losses);
				if (closed) return;
				restartTimer = setTimeout(() => {
					watcher = start();
				}, pauseMs);
			},
			onStuck(error) {
				options.onTrouble(error.message, losses);
				options.onStuck?.(error);
			},
		});
	};

	/**
	 * The kernel marks a limited namespace at most every 100 ms: what was dropped after its last mark is found so. Who was
	 * passed over was so beside an event, mostly before it was told.
	 */
	const lookLater = () => {
		if (lookTimer !== undefined) {
			isLookDue = true;
			return;
		}
		lookTimer = setTimeout(() => {
			lookTimer = undefined;
			if (closed || state.state !== "up") return;
			compare(kernel.losses());
			lookForMissed();
			// for whoever asked meanwhile it came too early
			if (isLookDue) {
				isLookDue = false;
				lookLater();
			}
		}, LOOK_MS);
	};

	const stop = async () => {
		closed = true;
		clearTimeout(lookTimer);
		clearTimeout(readTimer);
		clearTimeout(restartTimer);
		try {
			await watcher.close();
		} finally {
			kernel.close();
		}
	};
	let stopping: Promise<void> | undefined;

	let watcher: Watcher;
	try {
		kernel.attach();
		kernel.seed();
		options.onRead(kernel.read());
		watcher = start();
	} catch (error) {
		kernel.close();
		throw error;
	}

	return {
		state: () => state,
		losses: () => losses,
		hooks: kernel.hooks,
		setStopSignals: kernel.setStopSignals,
		requestRead,
		readFullQueues: kernel.readFullQueues,
		close() {
			stopping ??= stop();
			return stopping;
		},
	};
}

/** The kernel's counters, each as far as it was seen to grow. */
function latestOf(a: KernelLosses, b: KernelLosses): KernelLosses {
	return {
		ringFull: Math.max(a.ringFull, b.ringFull),
		tableFull: Math.max(a.tableFull, b.tableFull),
		limited: Math.max(a.limited, b.limited),
	};
}
