/**
 * The kernel side of the sensor: the BPF object with its programs, links and maps, owned by the main thread.
 * Knows nothing of threads.
 */

import { randomBytes } from "node:crypto";
import type { FullQueue, Read } from "../listeners/event.js";
import { packaged } from "../root.js";
import { choose, HOOKS, type HookName, type Hooks, OPTIONAL_PROGRAMS, type Refusal } from "./hooks.js";
import { openObject, raiseLockedMemory, readAll, readSingle, writeSingle } from "./libbpf.js";
import { chargesLockedMemory, checkRequirements } from "./preflight.js";
import { decodeFullQueues, decodeLosses, type KernelLosses, LOSSES_SIZE, ROW_SIZE } from "./record.js";
import { createRowDecoder } from "./rows.js";

/** The object that `npm run build:bpf` made, and that the package ships. */
export const PACKAGED_OBJECT = packaged("dist/bpf/solistend.bpf.o");

/** Optional programs that are walked, not attached at a place of the kernel. */
const OPTIONAL_ITERATORS: readonly string[] = ["seed", "full_queues"];

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
	/** The listeners whose accept queue is full now; none where the hook is missing. Synchronous, and of about the cost of `read`. */
	readFullQueues(): FullQueue[];
	losses(): KernelLosses;
	/** How often a program was passed over: then a row may be missing, and `seed` finds it. */
	missed(): number;
	close(): void;
}

/**
 * Checks what the sensor needs, loads the object and makes its maps. Nothing is attached yet.
 *
 * @throws SolistendError for the first thing that is missing, with its mend.
 */
export function openKernel(objectPath: string = PACKAGED_OBJECT): Kernel {
	for (const { problem } of checkRequirements(objectPath)) if (problem !== undefined) throw problem;
	if (chargesLockedMemory()) raiseLockedMemory();
	const object = openObject(objectPath, OPTIONAL_PROGRAMS);
	const listenersFd = object.mapFd("listeners");
	const readBeganFd = object.mapFd("read_began");
	const lossesFd = object.mapFd("losses");
	const stopSignalsFd = object.mapFd("stop_signals");
	const seed = object.attachIterator(object.refused.has("seed") ? "seed_tcp" : "seed");
	const decodeRows = createRowDecoder(ROW_SIZE);
	const refresh = object.attachIterator("refresh", listenersFd);
	const fullQueues = object.refused.has("full_queues") ? undefined : object.attachIterator("full_queues", listenersFd);
	// Tokens of queues are addresses: what is shown of them leads nowhere.
	const mask = randomBytes(8).readBigUInt64LE();

	const probe = (attempt: (program: string) => Refusal | undefined): Hooks => {
		const stateOf = (name: HookName) =>
			choose(HOOKS[name], (program) => object.refused.get(program) ?? attempt(program));
		return {
			stopping: stateOf("stopping"),
			freezing: stateOf("freezing"),
			mptcp: stateOf("mptcp"),
			fullQueues: stateOf("fullQueues"),
			relisten: stateOf("relisten"),
		};
	};
	let hooks = probe(() => undefined);

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
			hooks = probe((program) => (OPTIONAL_ITERATORS.includes(program) ? undefined : object.tryAttach(program)));
		},
		hooks: () => hooks,
		setStopSignals(signals) {
			const mask = Buffer.alloc(8);
			mask.writeBigUInt64LE(signals.reduce((bits, signal) => bits | (1n << BigInt(signal - 1)), 0n));
			writeSingle(stopSignalsFd, mask);
		},
		seed: () => void seed.walk(),
		read() {
			refresh.walk();
			const stamp = Buffer.alloc(8);
			readSingle(readBeganFd, stamp);
			const rows = decodeRows(readAll(listenersFd, 8, ROW_SIZE));
			// Once a row found no room, absence means nothing for as long as this table lives.
			return { beganNs: Number(stamp.readBigUInt64LE()), complete: losses().tableFull === 0, rows };
		},
		readFullQueues: () => (fullQueues === undefined ? [] : decodeFullQueues(fullQueues.walk(), mask)),
		losses,
		missed: object.missed,
		close: object.close,
	};
}
