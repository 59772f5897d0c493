/** When sockets closed, remembered for as long as it matters, in two generations of which the older one is dropped whole. Pure. */

import type { SocketId } from "./ids.js";

/** How long a CLOSE is remembered at least: longer than it keeps a read from reviving, and short, since a flood of closes adds up. */
const TOMBSTONE_NS = 2e9;

export interface Tombstones {
	/** In boot-time nanoseconds; undefined when it did not close, or long ago. */
	closedNs(socket: SocketId): number | undefined;
	close(socket: SocketId, atNs: number): void;
	/** It listens again. */
	revive(socket: SocketId): void;
	/** Forgets what closed long before. */
	age(nowNs: number): void;
}

export function createTombstones(): Tombstones {
	let current = new Map<SocketId, number>();
	let older = new Map<SocketId, number>();
	let generationNs = 0;
	return {
		closedNs: (socket) => current.get(socket) ?? older.get(socket),
		close: (socket, atNs) => void current.set(socket, atNs),
		revive(socket) {
			current.delete(socket);
			older.delete(socket);
		},
		age(nowNs) {
			if (nowNs < generationNs + TOMBSTONE_NS) return;
			older = current;
			current = new Map();
			generationNs = nowNs;
		},
	};
}
