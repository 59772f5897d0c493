import { describe, expect, test } from "vitest";
import { segmentsOf, type Window } from "../../../../src/admin/page/strip.js";

/** Seconds of one day as a date. */
const at = (s: number) => new Date(s * 1000).toISOString();

const WINDOW: Window = { fromMs: 100_000, toMs: 1_000_000, recordedMs: 0 };

describe("the time line of a backend", () => {
	test("has its states one after the other, and a hole where it was gone", () => {
		const entries = [
			{ at: at(200), state: "ready" },
			{ at: at(300), state: "drain" },
			{ at: at(310), state: "gone" },
			{ at: at(400), state: "ready" },
		] as const;
		expect(segmentsOf(entries, { state: "ready", since: at(400) }, WINDOW)).toEqual([
			{ state: "ready", fromMs: 200_000, toMs: 300_000 },
			{ state: "drain", fromMs: 300_000, toMs: 310_000 },
			{ state: "ready", fromMs: 400_000, toMs: 1_000_000 },
		]);
	});

	test("of one that nothing happened to begins where its state began, or with the window", () => {
		expect(segmentsOf([], { state: "ready", since: at(50) }, WINDOW)).toEqual([
			{ state: "ready", fromMs: 100_000, toMs: 1_000_000 },
		]);
		expect(segmentsOf([], { state: "out", since: at(500) }, WINDOW)).toEqual([
			{ state: "out", fromMs: 500_000, toMs: 1_000_000 },
		]);
	});

	test("of one that was there before anything was recorded begins with what it was: ready", () => {
		const entries = [{ at: at(300), state: "gone" }] as const;
		expect(segmentsOf(entries, undefined, { ...WINDOW, recordedMs: 150_000 })).toEqual([
			{ state: "ready", fromMs: 150_000, toMs: 300_000 },
		]);
	});
});
