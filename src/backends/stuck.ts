/**
 * Who listens and can't serve: its process is kept from running, or accepts nothing. The kernel takes connections in its
 * name all the same, for as long as there is room, so whoever sends it some waits. Pure.
 */

import type { PausedBy } from "../listeners/event.js";
import type { Endpoint } from "../listeners/table.js";

/** Why, and since when; times in the clock of the pools. */
export type Stuck = Paused | Hung;

interface Paused {
	readonly kind: "paused";
	readonly by: PausedBy;
	/** The process that called `listen()`. */
	readonly pid: number;
	readonly atNs: number;
	readonly atMs: number;
}

interface Hung {
	readonly kind: "hung";
	readonly pid: number;
	/** Connections that wait to be accepted. */
	readonly queued: number;
	readonly backlog: number;
	readonly atMs: number;
}

/**
 * What speaks against an endpoint. That it is paused says why it accepts nothing, so it comes first.
 *
 * @param toMs a time of the kernel's clock, in that of the pools
 */
export function stuckOf({ sockets, paused, hung }: Endpoint, toMs: (atNs: number) => number): Stuck | undefined {
	const [{ pid }] = sockets;
	if (paused !== undefined) {
		return { kind: "paused", by: paused.by, pid, atNs: paused.sinceNs, atMs: toMs(paused.sinceNs) };
	}
	if (hung === undefined) return undefined;
	const backlog = sockets.reduce((sum, socket) => sum + socket.backlog, 0);
	return { kind: "hung", pid, queued: hung.queued, backlog, atMs: hung.sinceMs };
}

/** Whether both say the same; a time that is converted from the kernel's clock differs a little each time. */
export function sameStuck(a: Stuck | undefined, b: Stuck | undefined): boolean {
	if (a?.kind === "paused") return b?.kind === "paused" && a.by === b.by && a.pid === b.pid && a.atNs === b.atNs;
	if (a?.kind !== "hung") return a === b;
	return b?.kind === "hung" && a.pid === b.pid && a.queued === b.queued && a.backlog === b.backlog && a.atMs === b.atMs;
}
