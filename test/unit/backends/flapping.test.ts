import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type BackendRef, backendId } from "../../../src/backends/backend.js";
import { createFlapping } from "../../../src/backends/flapping.js";

const policy = { max: 3, window: 30_000, hold: 10_000 };
const refOf = (n: number): BackendRef => ({ service: "web", id: backendId(`10.0.${n >> 8}.${n & 255}`, 80) });
const ref = refOf(1);

/** Closes and listens `times` times, a second apart; tells when it last listened. */
function flap(flapping: ReturnType<typeof createFlapping>, fromMs: number, times: number): number {
	for (let i = 0; i < times; i++) {
		flapping.closed(ref, fromMs + i * 1000);
		flapping.listens(ref, fromMs + i * 1000 + 500);
	}
	return fromMs + (times - 1) * 1000 + 500;
}

describe("a backend that closes often", () => {
	test("is held out from its next listen on, for the configured time", () => {
		const flapping = createFlapping(policy);
		flap(flapping, 0, 2);
		expect(flapping.heldOutUntilMs(ref, 2000)).toBeUndefined();
		flapping.closed(ref, 3000);
		expect(flapping.heldOutUntilMs(ref, 3000)).toBeUndefined();
		flapping.listens(ref, 5000);
		expect(flapping.heldOutUntilMs(ref, 5000)).toBe(15_000);
		expect(flapping.heldOutUntilMs(ref, 15_000)).toBeUndefined();
	});

	test("is held out for twice as long each time, an hour at most", () => {
		const flapping = createFlapping(policy);
		let ms = 0;
		const pauses: number[] = [];
		for (let i = 0; i < 12; i++) {
			ms = flap(flapping, ms, 3);
			pauses.push((flapping.heldOutUntilMs(ref, ms) ?? 0) - ms);
			// it goes on as soon as it is let in
			ms += pauses.at(-1) ?? 0;
		}
		expect(pauses.slice(0, 4)).toEqual([10_000, 20_000, 40_000, 80_000]);
		expect(pauses.at(-1)).toBe(3_600_000);
	});

	test("begins anew after it was up and quiet for the window", () => {
		const flapping = createFlapping(policy);
		const upMs = flap(flapping, 0, 3) + policy.hold + policy.window;
		const againMs = flap(flapping, upMs, 3);
		expect(flapping.heldOutUntilMs(ref, againMs)).toBe(againMs + 10_000);
	});

	test("counts only closes within the window", () => {
		const flapping = createFlapping(policy);
		for (const ms of [0, 20_000, 40_000, 60_000]) {
			flapping.closed(ref, ms);
			flapping.listens(ref, ms + 1);
			expect(flapping.heldOutUntilMs(ref, ms + 1)).toBeUndefined();
		}
	});

	test("is not held out when it was away for longer than its pause", () => {
		const flapping = createFlapping(policy);
		flap(flapping, 0, 2);
		flapping.closed(ref, 3000);
		flapping.listens(ref, 3000 + policy.window);
		expect(flapping.heldOutUntilMs(ref, 3000 + policy.window)).toBeUndefined();
		expect(flapping.size).toBe(0);
	});
});

test("what was quiet is forgotten, and no more than 65,536 are remembered", () => {
	const flapping = createFlapping(policy);
	for (let n = 0; n < 1000; n++) flapping.closed(refOf(n), n);
	expect(flapping.size).toBe(1000);
	flapping.closed(ref, 2000 + policy.window);
	expect(flapping.size).toBe(1);
	for (let n = 0; n < 70_000; n++) flapping.closed({ service: `web${n}`, id: ref.id }, 40_000);
	expect(flapping.size).toBe(65_536);
});

test("nothing is counted while it is switched off", () => {
	const flapping = createFlapping(false);
	flap(flapping, 0, 100);
	expect(flapping.size).toBe(0);
	flapping.reconfigure(policy);
	const ms = flap(flapping, 200_000, 3);
	expect(flapping.heldOutUntilMs(ref, ms)).toBe(ms + 10_000);
	flapping.reconfigure(false);
	expect(flapping.heldOutUntilMs(ref, ms)).toBeUndefined();
});

test("whoever closes fewer than `max` times in any window is never held out", () => {
	const story = fc.array(fc.record({ waitMs: fc.nat(40_000), downMs: fc.nat(40_000) }), { maxLength: 40 });
	fc.assert(
		fc.property(story, (steps) => {
			const flapping = createFlapping(policy);
			const closesMs: number[] = [];
			let nowMs = 0;
			let hasFlapped = false;
			for (const { waitMs, downMs } of steps) {
				nowMs += waitMs;
				flapping.closed(ref, nowMs);
				closesMs.push(nowMs);
				hasFlapped ||= closesMs.filter((ms) => nowMs - ms < policy.window).length >= policy.max;
				nowMs += downMs;
				flapping.listens(ref, nowMs);
				if (!hasFlapped) expect(flapping.heldOutUntilMs(ref, nowMs)).toBeUndefined();
			}
			expect(flapping.heldOutUntilMs(ref, nowMs + 3_600_000)).toBeUndefined();
		}),
	);
});
