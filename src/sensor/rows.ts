/**
 * Rows of the kernel's table → listeners. Most rows are at each read what they were at the one before: these are not
 * decoded again. Pure; knows nothing of maps and of when they are read.
 */

import type { Listener } from "../listeners/event.js";
import { decodeRecord, RECORD_FIELDS } from "./record.js";

/** A whole read. */
interface Rows {
	readonly bytes: Buffer;
	/** What each row says, in their order; undefined where the bytes are no row of a listener. */
	readonly decoded: readonly (Listener | undefined)[];
	readonly listeners: readonly Listener[];
}

/**
 * A decoder of whole reads. A row whose bytes are those of the last read is the same value as then, and so are all of them
 * together where no row is another.
 *
 * @param rowSize in bytes; a row begins with a record
 * @returns a function of the rows of one read, one after the other; it keeps them until the next one, so nobody may write
 * to them
 */
export function createRowDecoder(rowSize: number): (bytes: Buffer) => readonly Listener[] {
	let last: Rows = { bytes: Buffer.alloc(0), decoded: [], listeners: [] };
	return (bytes) => {
		if (bytes.equals(last.bytes)) return last.listeners;
		const decoded = decodeAll(bytes, rowSize, last);
		last = { bytes, decoded, listeners: decoded.filter((listener) => listener !== undefined) };
		return last.listeners;
	};
}

function decodeAll(bytes: Buffer, rowSize: number, last: Rows): (Listener | undefined)[] {
	const decoded: (Listener | undefined)[] = [];
	const isSame = (at: number, before: number) =>
		bytes.compare(last.bytes, before, Math.min(before + rowSize, last.bytes.length), at, at + rowSize) === 0;
	let places: ReadonlyMap<number, number> | undefined;
	/** Rows mostly keep their order: the next one is where it is expected, or one has come or gone. */
	let expected = 0;
	for (let at = 0; at + rowSize <= bytes.length; at += rowSize) {
		if (expected >= last.bytes.length || !isSame(at, expected)) {
			places ??= placesIn(last.bytes, rowSize);
			expected = places.get(lowCookie(bytes, at)) ?? expected;
			if (expected >= last.bytes.length || !isSame(at, expected)) {
				decoded.push(listenerOf(bytes.subarray(at, at + rowSize)));
				continue;
			}
		}
		decoded.push(last.decoded[expected / rowSize]);
		expected += rowSize;
	}
	return decoded;
}

/** Where each row begins, by its cookie. */
function placesIn(bytes: Buffer, rowSize: number): Map<number, number> {
	const places = new Map<number, number>();
	for (let at = 0; at + rowSize <= bytes.length; at += rowSize) places.set(lowCookie(bytes, at), at);
	return places;
}

/** The lower 48 bits of the socket's cookie: enough to find a row by, since it counts only where all bytes are the same. */
function lowCookie(bytes: Buffer, at: number): number {
	return bytes.readUIntLE(at + RECORD_FIELDS.cookie[0], 6);
}

function listenerOf(bytes: Buffer): Listener | undefined {
	const event = decodeRecord(bytes);
	return event?.kind === "listen" ? event.listener : undefined;
}
