/** What the main thread and the watcher say to each other. */

import type { KernelEvent } from "../listeners/event.js";
import type { KernelLosses, LimitedMark } from "./record.js";

/** Given to the worker at its start. The descriptors are the main thread's and outlive the worker. */
export interface WatcherInput {
	readonly eventsFd: number;
	readonly lossesFd: number;
	/** eventfd that ends the worker's wait: to stop, to answer a ping, or because records were acknowledged. */
	readonly wakeFd: number;
	/** `Int32Array` of {@link Shared}. */
	readonly shared: SharedArrayBuffer;
}

/** Indices of the shared counters. The counts wrap; only their difference matters. */
export const Shared = {
	/** 1 once the worker must end. Written by the main thread. */
	stop: 0,
	/** Records posted. Written by the worker. */
	posted: 1,
	/** Records taken in by the main thread, and written by it. */
	acknowledged: 2,
	/** Pings sent. Written by the main thread, which then wakes the worker. */
	pinged: 3,
	/** The last ping that the worker saw, and written by it. */
	answered: 4,
	/** How often the worker had to leave records in the ring buffer. Written by the worker. */
	behind: 5,
	length: 6,
} as const;

/** Beyond so many records on their way, the worker leaves the rest in the ring buffer, where loss is counted. */
export const MAX_UNACKNOWLEDGED = 8192;

/** What the worker posts. */
export type WatcherMessage =
	/** The ring buffer is open: from here on pings are answered. The first message. */
	| { readonly type: "watching" }
	/** `limited`: namespaces of which events were dropped. Of the `records` that are left over none could be decoded. */
	| {
			readonly type: "events";
			readonly events: readonly KernelEvent[];
			readonly limited: readonly LimitedMark[];
			readonly records: number;
	  }
	/** The kernel's counters have grown since the last message. */
	| { readonly type: "losses"; readonly losses: KernelLosses }
	/** The wait or the ring buffer failed; the worker ends. */
	| { readonly type: "failed"; readonly message: string };
