/**
 * Who else is where a process was that is gone: a server that puts itself into the background has left before anybody could
 * look at it, and its children serve the socket. All that share its process ids are in its container.
 */

import type { Listener } from "../listeners/event.js";
import type { Procfs } from "./procfs.js";

export interface KinOptions {
	readonly procfs: Procfs;
	/** Milliseconds of a clock that does not jump. */
	readonly now: () => number;
}

/** At most one walk through all processes in this time. */
const WALK_MS = 250;

/** How many processes of one place are looked at. */
const MAX_KIN = 8;

interface Walk {
	readonly atMs: number;
	/** By the inode number of their pid namespace. */
	readonly byPidNamespace: ReadonlyMap<number, readonly number[]>;
}

/** Processes that share the pid namespace of a listener's; none where that is the host's, or where it may not be read. */
export function createKin({ procfs, now }: KinOptions): (listener: Listener) => readonly number[] {
	let walk: Walk = { atMs: Number.NEGATIVE_INFINITY, byPidNamespace: new Map() };
	return ({ pidNamespace }) => {
		if (pidNamespace === procfs.pidNamespace(1) || pidNamespace === procfs.pidNamespace("self")) return [];
		if (now() - walk.atMs >= WALK_MS) walk = { atMs: now(), byPidNamespace: walkProcesses(procfs) };
		return walk.byPidNamespace.get(pidNamespace) ?? [];
	};
}

function walkProcesses(procfs: Procfs): Map<number, number[]> {
	const found = new Map<number, number[]>();
	for (const pid of procfs.pids()) {
		const namespace = procfs.pidNamespace(pid);
		if (namespace === undefined) continue;
		const there = found.get(namespace) ?? [];
		if (there.length < MAX_KIN) found.set(namespace, [...there, pid]);
	}
	return found;
}
