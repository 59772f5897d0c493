import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createTurns } from "../../../src/admin/turns.js";

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] }));
afterEach(() => void vi.useRealTimers());

/** An answer that takes so long, and nothing else is done meanwhile. */
const taking = (ms: number, begun: string[], name: string) => async () => {
	begun.push(name);
	vi.advanceTimersByTime(ms);
};

describe("answers in turn", () => {
	test("begin when the one before is given, and twice as long as it took is over", async () => {
		const inTurn = createTurns();
		const begun: string[] = [];
		const first = inTurn(taking(100, begun, "first"));
		const second = inTurn(taking(10, begun, "second"));
		await first;
		await vi.advanceTimersByTimeAsync(199);
		expect(begun).toEqual(["first"]);
		await vi.advanceTimersByTimeAsync(1);
		await second;
		expect(begun).toEqual(["first", "second"]);
	});

	test("that take no time keep nobody waiting", async () => {
		const inTurn = createTurns();
		const begun: string[] = [];
		const all = Array.from({ length: 1000 }, (_, i) => inTurn(taking(0, begun, `${i}`)));
		await Promise.all(all);
		expect(begun).toHaveLength(1000);
	});

	test("go on after one that fails, which tells whoever wanted it", async () => {
		const inTurn = createTurns();
		const failing = inTurn(() => Promise.reject(new Error("no answer")));
		const begun: string[] = [];
		const next = inTurn(taking(1, begun, "next"));
		await expect(failing).rejects.toThrow("no answer");
		await next;
		expect(begun).toEqual(["next"]);
	});
});
