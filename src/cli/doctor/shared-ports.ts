/**
 * Whether somebody else's HAProxy listens where one's own does: both set SO_REUSEPORT, so that the kernel shares the
 * connections out between them, and neither notices. Pure.
 */

import { hostPort } from "../../ip.js";
import type { Listener } from "../../listeners/event.js";

/** A process, and where it listens, each place once. */
export interface Sharer {
	readonly pid: number;
	readonly places: readonly string[];
}

/**
 * Processes called haproxy that are not one's own and get connections that were meant for it. An old worker that ends its
 * connections is none: it has stopped listening.
 *
 * @param listeners all that listen on the host
 * @param isOwn whether a process belongs to one's own HAProxy
 */
export function sharersOf(listeners: readonly Listener[], isOwn: (pid: number) => boolean): Sharer[] {
	const own = listeners.filter(({ pid }) => isOwn(pid));
	const found = new Map<number, Set<string>>();
	for (const one of listeners) {
		if (one.comm !== "haproxy" || isOwn(one.pid) || !own.some((other) => overlap(one, other))) continue;
		const places = found.get(one.pid) ?? new Set();
		found.set(one.pid, places.add(placeOf(one)));
	}
	return [...found].map(([pid, places]) => ({ pid, places: [...places].sort() })).sort((a, b) => a.pid - b.pid);
}

/** Where one's own HAProxy listens, each place once. */
export function placesOf(listeners: readonly Listener[], isOwn: (pid: number) => boolean): string[] {
	return [...new Set(listeners.filter(({ pid }) => isOwn(pid)).map(placeOf))].sort();
}

const placeOf = ({ address, port }: Listener) => hostPort(address, port);

/** Whether there is an address at which both get connections. */
function overlap(a: Listener, b: Listener): boolean {
	if (a.netns !== b.netns || a.port !== b.port) return false;
	return a.address === b.address || covers(a, b) || covers(b, a);
}

/** Whether one listens at all addresses of the other's kind. */
function covers(all: Listener, one: Listener): boolean {
	if (all.address === "0.0.0.0") return one.family === "ipv4";
	return all.address === "::" && (one.family === "ipv6" || !all.ipv6Only);
}
