import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BOUNDS_S, EMPTY, withTime } from "../../../src/proxies/histogram.js";

describe("a histogram of times", () => {
	test("counts each in the first bound that is not below it", () => {
		const { counts, sum } = [1, 1.1, 10_000, 10_001].reduce(withTime, EMPTY);
		expect(counts[0]).toBe(1);
		expect(counts[1]).toBe(1);
		expect(counts.slice(-2)).toEqual([1, 1]);
		expect(sum).toBeCloseTo(20.0031);
	});

	test("has all that were counted, whatever they are, and stays as small", () => {
		fc.assert(
			fc.property(fc.array(fc.double({ min: 0, max: 1e6, noNaN: true })), (times) => {
				const { counts } = times.reduce(withTime, EMPTY);
				expect(counts).toHaveLength(BOUNDS_S.length + 1);
				expect(counts.reduce((sum, count) => sum + count, 0)).toBe(times.length);
			}),
		);
	});

	test("is as it was where there is no time", () => {
		expect(withTime(EMPTY, undefined)).toBe(EMPTY);
	});
});
