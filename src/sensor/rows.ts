/**
 * Rows of the kernel's table → listeners. Most rows are at each read what they were at the one before: these are not
 * decoded again. Pure; knows nothing of maps and of when they are read.
 */

import type { Listener } from "../listeners/event.js";
import { decodeRecord, RECORD_FIELDS } from "./record.js";

interface Row {
	readonly bytes: Buffer;
	/** Undefined where the bytes are no row of a listener. */
	readonly listener: Listener | undefined;
}

/**
 * A decoder of whole reads. A row whose bytes are those of the last read is the same value as then.
 *
 * @returns a function of the rows of one read; it keeps their bytes until the next one, so nobody may write to them
 */
export function createRowDecoder(): (rows: readonly Buffer[]) => Listener[] {
	let known = new Map<number, Row>();
	return (rows) => {
		const before = known;
		known = new Map();
		const listeners: Listener[] = [];
		for (const bytes of rows) {
			const cookie = lowCookie(bytes);
			const last = before.get(cookie);
			const row = last?.bytes.equals(bytes) ? last : { bytes, listener: listenerOf(bytes) };
			known.set(cookie, row);
			if (row.listener !== undefined) listeners.push(row.listener);
		}
		return listeners;
	};
}

/** The lower 48 bits of the socket's cookie: enough to find a row by, since it counts only where all bytes are the same. */
function lowCookie(bytes: Buffer): number {
	return bytes.readUIntLE(RECORD_FIELDS.cookie[0], 6);
}

function listenerOf(bytes: Buffer): Listener | undefined {
	const event = decodeRecord(bytes);
	return event?.kind === "listen" ? event.listener : undefined;
}
