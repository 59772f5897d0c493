import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { REMOVAL_BURST, type ReloadLimiter, reloadAllowedAtMs, reloaded } from "../../../src/proxies/reload-limiter.js";

const intervalMs = 2000;

describe("the reload limiter", () => {
	test("allows the first reload at once", () => {
		expect(reloadAllowedAtMs(undefined, false, intervalMs)).toBe(Number.NEGATIVE_INFINITY);
	});

	test("allows a join one interval after the last reload", () => {
		expect(reloadAllowedAtMs(reloaded(undefined, 1000, intervalMs), false, intervalMs)).toBe(3000);
	});

	test("allows a burst of removals, and then one per interval", () => {
		let limiter: ReloadLimiter;
		for (let count = 0; count < REMOVAL_BURST; count++) {
			expect(reloadAllowedAtMs(limiter, true, intervalMs)).toBeLessThanOrEqual(1000);
			limiter = reloaded(limiter, 1000, intervalMs);
		}
		expect(reloadAllowedAtMs(limiter, true, intervalMs)).toBe(3000);
	});

	test("limits nothing when the interval is 0", () => {
		const limiter = reloaded(reloaded(undefined, 7, 0), 7, 0);
		expect(reloadAllowedAtMs(limiter, false, 0)).toBeLessThanOrEqual(7);
		expect(reloadAllowedAtMs(limiter, true, 0)).toBeLessThanOrEqual(7);
	});

	test("keeps any sequence of reloads within the burst and one per interval", () => {
		const wishes = fc.array(fc.record({ pauseMs: fc.nat(5000), removal: fc.boolean() }), { maxLength: 60 });
		fc.assert(
			fc.property(wishes, fc.integer({ min: 1, max: 4000 }), (list, interval) => {
				let limiter: ReloadLimiter;
				let nowMs = 0;
				const done: { atMs: number; removal: boolean }[] = [];
				for (const { pauseMs, removal } of list) {
					nowMs = Math.max(nowMs + pauseMs, reloadAllowedAtMs(limiter, removal, interval));
					limiter = reloaded(limiter, nowMs, interval);
					done.push({ atMs: nowMs, removal });
				}
				for (const [index, { atMs, removal }] of done.entries()) {
					const before = done[index - 1];
					if (before !== undefined && !removal) expect(atMs - before.atMs).toBeGreaterThanOrEqual(interval - 1e-6);
					// In any span: the burst, and what came back meanwhile.
					const first = done[Math.max(0, index - 10)];
					const allowed = REMOVAL_BURST + (atMs - (first?.atMs ?? 0)) / interval;
					expect(index - Math.max(0, index - 10) + 1).toBeLessThanOrEqual(allowed + 1e-6);
				}
			}),
		);
	});
});
