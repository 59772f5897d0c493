/**
 * The kernel side of the sensor: the BPF object with its programs, links and maps, owned by the main thread.
 * Knows nothing of threads.
 */

import { fileURLToPath } from "node:url";
import { messageOf } from "../errors.js";
import type { Read } from "../listeners/event.js";
import { type BpfObject, openObject, readAll, readSingle, writeSingle } from "./libbpf.js";
import { checkRequirements } from "./preflight.js";
import { decodeLosses, type KernelLosses, LOSSES_SIZE, RECORD_SIZE } from "./record.js";
import { createRowDecoder } from "./rows.js";

/** The object that `npm run build:bpf` made, and that the package ships. */
export const PACKAGED_OBJECT = fileURLToPath(new URL("../../dist/bpf/solistend.bpf.o", import.meta.url));

/** The one program that the sensor can do without. */
const STOP_PROGRAM = "watch_signals";

/** Which optional hooks are in use; where one is not, the text says why. */
export interface Hooks {
	/** Stop signals to processes that listen (`tp_btf/signal_generate`). */
	readonly stopping: true | string;
}

export interface Kernel {
	/** Ring buffer of events. */
	readonly eventsFd: number;
	/** Array with the kernel's loss counters. */
	readonly lossesFd: number;
	/** From here on every change is seen: a row in `listeners`, and an event. */
	attach(): void;
	/** Final once attached. */
	hooks(): Hooks;
	/** The signals, by number, whose delivery to a process that listens is an event. None at first. */
	setStopSignals(signals: readonly number[]): void;
	/** Adds to `listeners` what was listening before `attach`. Synchronous; about 0.2 µs for each open file of the host. */
	seed(): void;
	/** All rows of `listeners`, refreshed and stamped in BPF. Synchronous; 10,000 rows take tens of milliseconds. */
	read(): Read;
	losses(): KernelLosses;
	close(): void;
}

/**
 * Checks what the sensor needs, loads the object and makes its maps. Nothing is attached yet.
 *
 * @throws SolistendError for the first thing that is missing, with its mend.
 */
export function openKernel(objectPath: string = PACKAGED_OBJECT): Kernel {
	for (const { problem } of checkRequirements(objectPath)) if (problem !== undefined) throw problem;
	const { object, stopping: loaded } = load(objectPath);
	let stopping = loaded;
	const listenersFd = object.mapFd("listeners");
	const readBeganFd = object.mapFd("read_began");
	const lossesFd = object.mapFd("losses");
	const stopSignalsFd = object.mapFd("stop_signals");
	const seed = object.attachIterator("seed");
	const decodeRows = createRowDecoder();
	const refresh = object.attachIterator("refresh", listenersFd);

	const losses = () => {
		const bytes = Buffer.alloc(LOSSES_SIZE);
		readSingle(lossesFd, bytes);
		return decodeLosses(bytes);
	};

	return {
		eventsFd: object.mapFd("events"),
		lossesFd,
		attach() {
			object.attach("watch_state");
			if (stopping !== true) return;
			try {
				object.attach(STOP_PROGRAM);
			} catch (error) {
				stopping = messageOf(error);
			}
		},
		hooks: () => ({ stopping }),
		setStopSignals(signals) {
			const mask = Buffer.alloc(8);
			mask.writeBigUInt64LE(signals.reduce((bits, signal) => bits | (1n << BigInt(signal - 1)), 0n));
			writeSingle(stopSignalsFd, mask);
		},
		seed: seed.walk,
		read() {
			refresh.walk();
			const stamp = Buffer.alloc(8);
			readSingle(readBeganFd, stamp);
			const rows = decodeRows(readAll(listenersFd, 8, RECORD_SIZE));
			// Once a row found no room, absence means nothing for as long as this table lives.
			return { beganNs: Number(stamp.readBigUInt64LE()), complete: losses().tableFull === 0, rows };
		},
		losses,
		close: object.close,
	};
}

/** Loads all programs, or all but the optional one when the kernel takes only these. */
function load(path: string): { readonly object: BpfObject; readonly stopping: true | string } {
	try {
		return { object: openObject(path), stopping: true };
	} catch (error) {
		return { object: openObject(path, [STOP_PROGRAM]), stopping: messageOf(error) };
	}
}
