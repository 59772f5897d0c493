/**
 * The sensor as others see it: a stream of events and of reads of the kernel's own table. Attach, seed, read,
 * stream; any loss leads to a read. Knows nothing of services or proxies.
 */

import { messageOf } from "../errors.js";
import type { FullQueue, KernelEvent, Read } from "../listeners/event.js";
import type { Hooks } from "./hooks.js";
import { openKernel } from "./kernel.js";
import type { KernelLosses } from "./record.js";
import { startWatcher, type Watcher } from "./watcher.js";

/** At most four reads a second, however much is lost; and where a read takes long, most of the time is left to others. */
const READ_SPACING = { ms: 250, times: 4 } as const;
const RESTART_DELAY_MS = 100;

/** Everything that was lost since the start, by reason; each of them led to a read. */
export interface Losses extends KernelLosses {
	/** Records of another version, or damaged. */
	readonly undecodable: number;
	/** Worker threads that died. */
	readonly workerDeaths: number;
}

export interface SensorOptions {
	/** The compiled BPF object; default: the packaged one. */
	readonly objectPath?: string;
	/** Changes, in the order of the kernel. */
	onEvents(events: readonly KernelEvent[]): void;
	/** The kernel's table: once after the seed, after a loss, and on request. */
	onRead(read: Read): void;
	/** Something went wrong and is being mended; what the sensor fed stays as it is meanwhile. */
	onTrouble(message: string, losses: Losses): void;
}

export interface Sensor {
	losses(): Losses;
	hooks(): Hooks;
	/** The signals, by number, whose delivery to a process that listens is told as `stopping`. None at first. */
	setStopSignals(signals: readonly number[]): void;
	/** Asks for a read, soon; several requests make one read. */
	requestRead(): void;
	/** The listeners whose accept queue is full now. */
	readFullQueues(): FullQueue[];
	/** Stops the worker, detaches the programs, frees the maps. */
	close(): Promise<void>;
}

/**
 * Starts the sensor. The first `onRead` has happened when it returns.
 *
 * @throws SolistendError when the host lacks something (see `checkRequirements`) or the kernel refuses a program.
 */
export function openSensor(options: SensorOptions): Sensor {
	const kernel = openKernel(options.objectPath);
	let kernelLosses: KernelLosses = { ringFull: 0, tableFull: 0, limited: 0 };
	let undecodable = 0;
	let workerDeaths = 0;
	let closed = false;
	let nextReadMs = 0;
	let readTimer: NodeJS.Timeout | undefined;
	let restartTimer: NodeJS.Timeout | undefined;

	const losses = (): Losses => ({ ...kernelLosses, undecodable, workerDeaths });

	const read = () => {
		readTimer = undefined;
		const beginMs = performance.now();
		let result: Read;
		try {
			result = kernel.read();
		} catch (error) {
			options.onTrouble(messageOf(error), losses());
			nextReadMs = performance.now() + READ_SPACING.ms;
			requestRead();
			return;
		}
		options.onRead(result);
		const endMs = performance.now();
		nextReadMs = endMs + Math.max(READ_SPACING.ms, READ_SPACING.times * (endMs - beginMs));
	};

	const requestRead = () => {
		if (readTimer !== undefined || closed) return;
		readTimer = setTimeout(read, Math.max(0, nextReadMs - performance.now()));
	};

	const trouble = (message: string) => {
		options.onTrouble(message, losses());
		requestRead();
	};

	const start = (): Watcher =>
		startWatcher({
			eventsFd: kernel.eventsFd,
			lossesFd: kernel.lossesFd,
			onEvents(events, damaged) {
				if (damaged > 0) {
					undecodable += damaged;
					trouble(`${damaged} records could not be decoded (is the BPF object of another version?)`);
				}
				options.onEvents(events);
			},
			onLosses(grown) {
				const events = grown.ringFull - kernelLosses.ringFull;
				const rows = grown.tableFull - kernelLosses.tableFull;
				kernelLosses = grown;
				if (events > 0) trouble(`${events} events lost, the ring buffer was full (reading the kernel's table)`);
				if (rows > 0) trouble(`${rows} listeners found no room in the kernel's table (removal waits for close events)`);
			},
			onDeath(reason) {
				workerDeaths++;
				trouble(`the watcher thread died: ${reason} (starting another one)`);
				restartTimer = setTimeout(() => {
					watcher = start();
					requestRead();
				}, RESTART_DELAY_MS);
			},
		});

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
		losses,
		hooks: kernel.hooks,
		setStopSignals: kernel.setStopSignals,
		requestRead,
		readFullQueues: kernel.readFullQueues,
		async close() {
			closed = true;
			clearTimeout(readTimer);
			clearTimeout(restartTimer);
			try {
				await watcher.close();
			} finally {
				kernel.close();
			}
		},
	};
}
