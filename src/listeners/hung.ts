/**
 * Which listeners accept nothing: from looks at the accept queues that are full to the sockets that are hung. Pure; knows
 * neither who looks nor what comes of it.
 *
 * A queue that is full says little: whoever is only overloaded has one, too, and goes on accepting. So it has to be full
 * with the same connection at its head, in looks that span the whole time: the kernel hands out the head first, so the
 * same head again says that nothing was accepted in between, however far apart the looks are.
 */

import type { FullQueue } from "./event.js";
import type { SocketId } from "./ids.js";

/** A listener that accepts nothing. */
export interface Hung {
	/** Connections that waited when it was found to be so. */
	readonly queued: number;
	/** When its queue was first seen full with this head, in milliseconds of the clock of whoever looks. */
	readonly sinceMs: number;
}

export interface HungWatch {
	/**
	 * Takes in a look. One that failed must not be told: what is unknown changes nothing. A look takes some time, and when in it
	 * a queue was seen is not known: a time counts from the end of the first one to the beginning of the last one.
	 *
	 * @param full all queues that are full now
	 * @returns those that are hung; of each the same value again for as long as it is
	 */
	look(full: readonly FullQueue[], beganMs: number, endedMs?: number): ReadonlyMap<SocketId, Hung>;
	/** When one of those that are full will have been so long enough; undefined when none is on the way. */
	readonly dueMs: number | undefined;
}

/** @param afterMs how long a queue must be full with the same head */
export function createHungWatch(afterMs: number): HungWatch {
	let full = new Map<SocketId, Hung & { readonly head: string }>();
	let dueMs: number | undefined;
	return {
		look(found, beganMs, endedMs = beganMs) {
			const before = full;
			full = new Map();
			dueMs = undefined;
			const hung = new Map<SocketId, Hung>();
			for (const { socket, queued, head } of found) {
				const known = before.get(socket);
				const now = known?.head === head ? known : { head, queued, sinceMs: endedMs };
				full.set(socket, now);
				const overMs = now.sinceMs + afterMs;
				if (overMs <= beganMs) hung.set(socket, now);
				else dueMs = Math.min(dueMs ?? overMs, overMs);
			}
			return hung;
		},
		get dueMs() {
			return dueMs;
		},
	};
}

/** Of several sockets: hung when all of them are. */
export function hungAll(all: readonly (Hung | undefined)[]): Hung | undefined {
	const [first, ...rest] = all.flatMap((hung) => hung ?? []);
	if (first === undefined || rest.length + 1 < all.length) return undefined;
	return rest.reduce(
		(sum, { queued, sinceMs }) => ({ queued: sum.queued + queued, sinceMs: Math.max(sum.sinceMs, sinceMs) }),
		first,
	);
}
