import fc from "fast-check";
import { expect, test } from "vitest";
import { retryDelayMs } from "../../../src/proxies/backoff.js";

test("pauses are doubled from 1 s to 30 s", () => {
	expect([1, 2, 3, 4, 5, 6, 7, 100].map((failures) => retryDelayMs(failures, 0.5))).toEqual([
		1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000,
	]);
});

test("pauses differ by a fifth at most", () => {
	fc.assert(
		fc.property(fc.integer({ min: 1, max: 10_000 }), fc.double({ min: 0, max: 1, noNaN: true }), (failures, random) => {
			const middleMs = retryDelayMs(failures, 0.5);
			expect(Math.abs(retryDelayMs(failures, random) - middleMs)).toBeLessThanOrEqual(middleMs * 0.2 + 1);
		}),
	);
});
