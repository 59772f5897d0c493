/** The decoder against a million inputs that the kernel side never wrote. */

import { describe, expect, test } from "vitest";
import { decodeFullQueues, decodeRecord, RECORD_SIZE, RECORD_VERSION } from "../../../src/sensor/record.js";

const INPUTS = 1_000_000;
const KINDS = ["listen", "relisten", "close", "stopping", "paused", "resumed", "limited"];

/** Numbers below `limit`, the same at each run (a linear congruential generator; the high bits are the random ones). */
function createRandom(seed: number) {
	let state = BigInt(seed);
	return (limit: number): number => {
		state = (state * 6364136223846793005n + 1442695040888963407n) & 0xffffffffffffffffn;
		return Number((state >> 33n) % BigInt(limit));
	};
}

/** Random bytes, of which the inputs are pieces. */
function poolOf(random: (limit: number) => number, size: number): Buffer {
	const bytes = Buffer.alloc(size);
	for (let i = 0; i < size; i++) bytes[i] = random(256);
	return bytes;
}

describe("a million records", () => {
	test("of random bytes and any length, of this version or another: the decoder refuses or decodes, and never throws", () => {
		const random = createRandom(4711);
		const pool = poolOf(random, 1 << 16);
		const piece = Buffer.alloc(2 * RECORD_SIZE);
		let refused = 0;
		const decoded = new Map<string, number>();
		for (let i = 0; i < INPUTS; i++) {
			// half of them as long as a record, the others shorter or longer
			const length = i % 2 === 0 ? RECORD_SIZE : (i * 7) % piece.length;
			const from = (i * 31) % (pool.length - piece.length);
			pool.copy(piece, 0, from, from + length);
			const bytes = piece.subarray(0, length);
			// three in four say that they are of this version and of some kind, known or not
			if (i % 4 !== 3 && length > 2) {
				bytes[0] = RECORD_VERSION;
				bytes[1] = i % 11;
				if (i % 3 !== 0) bytes[2] = i % 3 === 1 ? 2 : 10;
				if (length > 163) bytes[163] = i % 4;
			}
			const event = decodeRecord(bytes);
			if (event === undefined) refused++;
			else decoded.set(event.kind, (decoded.get(event.kind) ?? 0) + 1);
			if (event !== undefined && (length < RECORD_SIZE || !KINDS.includes(event.kind))) {
				throw new Error(`${length} bytes were decoded as ${event.kind}`);
			}
		}
		expect(refused + [...decoded.values()].reduce((sum, count) => sum + count, 0)).toBe(INPUTS);
		expect(refused).toBeGreaterThan(INPUTS / 4);
		expect([...decoded.keys()].sort()).toEqual([...KINDS].sort());
	});

	test("of another version are all refused", () => {
		const random = createRandom(815);
		const pool = poolOf(random, 1 << 12);
		for (let version = 0; version < 256; version++) {
			if (version === RECORD_VERSION) continue;
			const bytes = Buffer.from(pool.subarray(version, version + RECORD_SIZE));
			bytes[0] = version;
			expect(decodeRecord(bytes)).toBeUndefined();
		}
	});

	test("of full queues that end in the middle of one leave that one out", () => {
		const pool = poolOf(createRandom(7), 24 * 10);
		for (let length = 0; length <= pool.length; length++) {
			expect(decodeFullQueues(pool.subarray(0, length), 1n)).toHaveLength(Math.floor(length / 24));
		}
	});
});
