import { describe, expect, test } from "vitest";
import { LOSS_REASONS, lossText, lostSince, NO_LOSSES } from "../../../src/sensor/losses.js";

describe("losses", () => {
	test("are told by reason, as far as they grew", () => {
		expect(lostSince(NO_LOSSES, NO_LOSSES)).toEqual([]);
		const before = { ...NO_LOSSES, ringFull: 5, workerDeaths: 1 };
		expect(lostSince(before, { ...before, ringFull: 7, mainStalls: 1 })).toEqual([
			{ reason: "ringFull", count: 2 },
			{ reason: "mainStalls", count: 1 },
		]);
	});

	test("all have words of their own, with the count", () => {
		const texts = LOSS_REASONS.map((reason) => lossText(reason, 4711));
		expect(new Set(texts).size).toBe(Object.keys(NO_LOSSES).length);
		for (const text of texts) expect(text).toContain("4711");
	});
});
