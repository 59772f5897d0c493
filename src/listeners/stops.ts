/** What the processes of sockets were told by stop signals, since they listen. Pure. */

import type { Listener, StopEvent } from "./event.js";

/** Stop signal, by number → when it was last told, in boot-time nanoseconds. */
export type Stops = ReadonlyMap<number, number>;

/** Whether the signal goes to the process that opened the socket, or to its container's first one; after it listened. */
export function concerns({ pid, isInit, pidNamespace, atNs }: StopEvent, listener: Listener): boolean {
	if (listener.atNs > atNs) return false;
	return listener.pid === pid || (isInit && listener.pidNamespace === pidNamespace);
}

/** What is known after one more signal. */
export function afterStop(stops: Stops | undefined, { signal, atNs }: StopEvent): Stops {
	return new Map([...(stops ?? []), [signal, Math.max(atNs, stops?.get(signal) ?? 0)]]);
}

/** Those that a socket was told since it listens. */
export function toldSince(atNs: number, stops: Stops | undefined): Stops | undefined {
	return stops && new Map([...stops].filter(([, toldNs]) => toldNs >= atNs));
}

/** What all of them have, each with its latest time. */
export function toldToAll([first, ...rest]: readonly (Stops | undefined)[]): Stops | undefined {
	if (first === undefined) return undefined;
	const told = new Map<number, number>();
	for (const [signal, atNs] of first) {
		const times = [atNs, ...rest.flatMap((stops) => stops?.get(signal) ?? [])];
		if (times.length === rest.length + 1) told.set(signal, Math.max(...times));
	}
	return told.size > 0 ? told : undefined;
}
