import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type Asks, type Attempt, createAsks } from "../../../../src/identity/engine/asks.js";

beforeEach(() => {
	vi.useFakeTimers();
});
afterEach(() => {
	vi.useRealTimers();
});

const DONE: Attempt = { state: "done" };
const SOON: Attempt = { state: "again", soon: true, why: "does not answer" };
const LATE: Attempt = { state: "again", soon: false, why: "does not know it" };

/** Attempts that end when the test says so, or at once with `always`. */
function setup({ always, isKept = true }: { always?: Attempt; isKept?: boolean } = {}) {
	const attempts: { id: string; atMs: number; signal: AbortSignal; end: (attempt: Attempt) => void }[] = [];
	const asks: Asks = createAsks({
		attempt: (id, signal) =>
			new Promise((resolve) => {
				attempts.push({ id, atMs: performance.now(), signal, end: resolve });
				if (always !== undefined) resolve(always);
			}),
		isKept: () => isKept,
	});
	const startMs = performance.now();
	return {
		asks,
		attempts,
		ids: () => attempts.map(({ id }) => id),
		times: () => attempts.map(({ atMs }) => atMs - startMs),
	};
}
const settled = () => vi.advanceTimersByTimeAsync(0);

describe("questions", () => {
	test("are asked once at a time for each container", async () => {
		const { asks, ids, attempts } = setup();
		asks.open();
		asks.ask("a", "now");
		asks.ask("a", "background");
		asks.want("a");
		expect(ids()).toEqual(["a"]);
		expect(asks.isPending("a")).toBe(true);
		attempts[0]?.end(DONE);
		await settled();
		expect(asks.isPending("a")).toBe(false);
		expect(vi.getTimerCount()).toBe(0);
	});

	test("are asked once more when an answer under way may be too old", async () => {
		const { asks, ids, attempts } = setup();
		asks.open();
		asks.ask("a", "now");
		asks.refresh("a");
		asks.refresh("a");
		attempts[0]?.end(DONE);
		await settled();
		expect(ids()).toEqual(["a", "a"]);
		attempts[1]?.end(DONE);
		await settled();
		expect(asks.isPending("a")).toBe(false);
	});

	test("wait until the engine can be asked; those on their way when it is lost are asked anew", async () => {
		const { asks, ids, attempts } = setup();
		asks.ask("a", "now");
		expect(ids()).toEqual([]);
		asks.open();
		expect(ids()).toEqual(["a"]);
		asks.shut();
		expect(attempts[0]?.signal.aborted).toBe(true);
		attempts[0]?.end(DONE);
		await settled();
		asks.open();
		expect(ids()).toEqual(["a", "a"]);
	});

	test("in the background are four at once, and none of them is in the way of one that is urgent", async () => {
		const { asks, ids, attempts } = setup();
		asks.open();
		for (const id of "abcdef") asks.ask(id, "background");
		expect(ids()).toEqual(["a", "b", "c", "d"]);
		asks.ask("z", "now");
		asks.ask("f", "now");
		expect(ids()).toEqual(["a", "b", "c", "d", "z", "f"]);
		for (const { end } of [...attempts]) end(DONE);
		await settled();
		expect(ids()).toEqual(["a", "b", "c", "d", "z", "f", "e"]);
	});
});

describe("a question that fails", () => {
	test("is asked again with growing pauses, of 10 s at most where that may help soon", async () => {
		const { asks, times } = setup({ always: SOON });
		asks.open();
		asks.ask("a", "now");
		await vi.advanceTimersByTimeAsync(36_000);
		expect(times()).toEqual([0, 1000, 3000, 7000, 15_000, 25_000, 35_000]);
		expect(asks.whyNot("a")).toBe("does not answer");
	});

	test("is asked again minutes apart where the engine's answer is no", async () => {
		const { asks, times } = setup({ always: LATE });
		asks.open();
		asks.ask("a", "now");
		await vi.advanceTimersByTimeAsync(3_600_000);
		expect(times().slice(-2)).toEqual([511_000 + 300_000 * 9, 511_000 + 300_000 * 10]);
	});

	test("is asked at once when there is news of it, or the engine is back", async () => {
		const { asks, times } = setup({ always: LATE });
		asks.open();
		asks.ask("a", "now");
		await vi.advanceTimersByTimeAsync(500);
		asks.want("a");
		asks.ask("a", "now");
		await vi.advanceTimersByTimeAsync(100);
		asks.open();
		await settled();
		expect(times()).toEqual([0, 500, 600]);
	});

	test("is given up when nobody wants it for long", async () => {
		const { asks } = setup({ always: LATE, isKept: false });
		asks.open();
		asks.ask("a", "now");
		await vi.advanceTimersByTimeAsync(1_000_000);
		asks.want("a");
		await vi.advanceTimersByTimeAsync(1_000_000);
		expect(asks.isPending("a")).toBe(true);
		await vi.advanceTimersByTimeAsync(1_000_000);
		expect(asks.isPending("a")).toBe(false);
		expect(vi.getTimerCount()).toBe(0);
	});
});

test("what is forgotten is aborted, and its answer counts for nothing", async () => {
	const { asks, ids, attempts } = setup();
	asks.open();
	asks.ask("a", "now");
	asks.forget("a");
	expect(attempts[0]?.signal.aborted).toBe(true);
	asks.ask("a", "now");
	attempts[0]?.end(DONE);
	await settled();
	expect(asks.isPending("a")).toBe(true);
	expect(ids()).toEqual(["a", "a"]);
	asks.close();
	expect(attempts[1]?.signal.aborted).toBe(true);
	expect(asks.isPending("a")).toBe(false);
	expect(vi.getTimerCount()).toBe(0);
});
