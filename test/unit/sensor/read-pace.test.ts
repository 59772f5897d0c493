import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createReadPace, type ReadPace } from "../../../src/sensor/read-pace.js";

/** Does every read that is wanted from `fromMs` until `untilMs`, as soon as it is due; each takes `readMs`. */
function readAll(pace: ReadPace, fromMs: number, untilMs: number, readMs = 1): number[] {
	const began: number[] = [];
	for (let nowMs = fromMs; nowMs < untilMs; nowMs++) {
		if (pace.waitMs(nowMs) > 0) continue;
		began.push(nowMs);
		pace.took(nowMs, nowMs + readMs);
		nowMs += readMs;
	}
	return began;
}

describe("reads", () => {
	test("are due at once after quiet, also with the first loss", () => {
		const pace = createReadPace();
		expect(pace.waitMs(1000)).toBe(0);
		pace.lost(1000);
		expect(pace.waitMs(1000)).toBe(0);
	});

	test("are no more than four a second on average, however many are wanted", () => {
		const began = readAll(createReadPace(), 0, 60_000);
		expect(began.length).toBeLessThanOrEqual(4 * 60 + 4);
		expect(began.length).toBeGreaterThan(4 * 59);
	});

	test("leave most of the time to others where one takes long", () => {
		const began = readAll(createReadPace(), 0, 60_000, 200);
		expect(began.length * 200).toBeLessThanOrEqual(60_000 / 5 + 4 * 200);
	});

	test("are not put off for long by one that took as long as a host stood still", () => {
		const pace = createReadPace();
		readAll(pace, 0, 200);
		pace.took(200, 60_000);
		expect(readAll(pace, 60_000, 64_100).length).toBeGreaterThanOrEqual(1);
	});

	test("go on while losses grow, four a second", () => {
		const pace = createReadPace();
		let reads = 0;
		for (let nowMs = 0; nowMs < 10_000; nowMs++) {
			pace.lost(nowMs);
			if (pace.waitMs(nowMs) > 0) continue;
			reads++;
			pace.took(nowMs, nowMs + 1);
		}
		expect(reads).toBeGreaterThanOrEqual(40);
		expect(reads).toBeLessThanOrEqual(44);
	});

	test("are two as soon as the last loss is 50 ms ago, however long it went on, whenever it ended and whatever one takes", () => {
		const [stormMs, everyMs] = [fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 1, max: 45 })];
		fc.assert(
			fc.property(stormMs, everyMs, fc.integer({ min: 1, max: 100 }), (stormMs, everyMs, readMs) => {
				const pace = createReadPace();
				let lastMs = 0;
				let nowMs = 0;
				for (; nowMs <= stormMs; nowMs++) {
					if (nowMs % everyMs === 0) {
						pace.lost(nowMs);
						lastMs = nowMs;
					}
					if (pace.waitMs(nowMs) > 0) continue;
					pace.took(nowMs, nowMs + readMs);
					nowMs += readMs;
					pace.lost(nowMs);
					lastMs = nowMs;
				}
				const [, second = Number.POSITIVE_INFINITY] = readAll(pace, nowMs, nowMs + 1000, readMs);
				expect(second - lastMs).toBeLessThanOrEqual(50 + readMs + 21);
			}),
		);
	});
});
