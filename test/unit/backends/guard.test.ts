import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ejectable, mustConfirm } from "../../../src/backends/guard.js";

const share = fc.integer({ min: 0, max: 100 }).map((percent) => percent / 100);

describe("the guard on what a step takes out", () => {
	test("asks for a second look beyond the share, from three backends on", () => {
		expect(mustConfirm(3, 5, 0.5)).toBe(true);
		expect(mustConfirm(3, 6, 0.5)).toBe(false);
		expect(mustConfirm(2, 2, 0.5)).toBe(false);
		expect(mustConfirm(3, 3, 0)).toBe(true);
	});

	test("never asks where all may go, and counts shares as people do", () => {
		expect(mustConfirm(1000, 1000, 1)).toBe(false);
		expect(mustConfirm(29, 100, 0.29)).toBe(false);
	});
});

describe("the guard on what is out though it listens", () => {
	test("takes the share, one at least, and leaves one", () => {
		expect(ejectable(5, 10, 5, 0.3)).toBe(3);
		expect(ejectable(5, 10, 5, 0)).toBe(1);
		expect(ejectable(1, 1, 0, 1)).toBe(0);
		expect(ejectable(2, 2, 0, 1)).toBe(1);
		expect(ejectable(50, 100, 50, 0.29)).toBe(29);
	});

	test("counts those that are out for another reason, and takes one all the same", () => {
		expect(ejectable(5, 10, 5, 0.3, 2)).toBe(1);
		expect(ejectable(5, 10, 5, 0.3, 4)).toBe(1);
		expect(ejectable(5, 10, 5, 0.5, 2)).toBe(3);
	});

	test("leaves somebody ready, and is never more than asked nor beyond the share", () => {
		fc.assert(
			fc.property(fc.nat(50), fc.nat(50), fc.nat(20), share, (asked, others, held, maxEjected) => {
				const listening = asked + others + held;
				const out = ejectable(asked, listening, others, maxEjected);
				expect(out).toBeGreaterThanOrEqual(0);
				expect(out).toBeLessThanOrEqual(asked);
				expect(out).toBeLessThanOrEqual(Math.max(1, listening * maxEjected + 1e-6));
				if (asked + others > 0) expect(asked - out + others).toBeGreaterThan(0);
				if (asked > 0 && asked + others > 1) expect(out).toBeGreaterThan(0);
			}),
		);
	});
});
