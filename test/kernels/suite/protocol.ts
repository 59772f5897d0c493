/** The messages between the suite and the process that the sensor runs in. */

import type { FullQueue, KernelEvent, Read } from "../../../src/listeners/event.js";
import type { Hooks } from "../../../src/sensor/hooks.js";
import type { Losses } from "../../../src/sensor/sensor.js";

/** What the suite asks of the sensor's process. */
export type Request =
	/** A read of the kernel's table, soon. */
	| { readonly type: "read" }
	/** The worker thread is to die, as if by an error that nobody thought of, at the next event. */
	| { readonly type: "crash" }
	/** The listeners whose accept queue is full. */
	| { readonly type: "fullQueues" }
	/** The end: the process goes once the sensor is closed. */
	| { readonly type: "close" };

/** What the sensor's process tells. */
export type Told =
	| { readonly type: "ready"; readonly hooks: Hooks; readonly libbpf: string }
	| { readonly type: "failed"; readonly message: string }
	| { readonly type: "events"; readonly events: readonly KernelEvent[] }
	| { readonly type: "read"; readonly read: Read }
	| { readonly type: "trouble"; readonly message: string; readonly losses: Losses }
	| { readonly type: "crashing" }
	| { readonly type: "fullQueues"; readonly queues: readonly FullQueue[] };
