import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type Afterwards, createAfterwards } from "../../src/afterwards.js";

let done: number[];
let afterwards: Afterwards;
const add = (...numbers: readonly number[]) => {
	for (const number of numbers) afterwards.add(() => void done.push(number));
};

beforeEach(() => {
	vi.useFakeTimers();
	done = [];
	afterwards = createAfterwards();
});

afterEach(() => {
	afterwards.close();
	vi.useRealTimers();
});

describe("work that may wait", () => {
	test("is done in its order once it is quiet", () => {
		add(1, 2);
		vi.advanceTimersByTime(49);
		add(3);
		vi.advanceTimersByTime(49);
		expect(done).toEqual([]);
		vi.advanceTimersByTime(1);
		expect(done).toEqual([1, 2, 3]);
	});

	test("begins after a quarter of a second, however much more comes in", () => {
		for (let ms = 0; ms < 250; ms += 10) {
			expect(done).toEqual([]);
			add(ms);
			vi.advanceTimersByTime(10);
		}
		expect(done).toHaveLength(25);
	});

	test("lets others have their turn between its parts", async () => {
		vi.useRealTimers();
		const spend = (ms: number) => {
			const endMs = performance.now() + ms;
			while (performance.now() < endMs);
		};
		const order: string[] = [];
		const isDone = new Promise<void>((resolve) => {
			afterwards.add(() => void setTimeout(() => order.push("other"), 0));
			afterwards.add(() => {
				spend(10);
				order.push("long");
			});
			afterwards.add(() => {
				order.push("last");
				resolve();
			});
		});
		await isDone;
		expect(order).toEqual(["long", "other", "last"]);
	});

	test("is done at once when somebody asks for it, and once only", () => {
		add(1, 2);
		afterwards.flush();
		expect(done).toEqual([1, 2]);
		vi.runAllTimers();
		expect(done).toEqual([1, 2]);
	});

	test("is done when this ends, and whatever comes after that at once", () => {
		add(1);
		afterwards.close();
		expect(done).toEqual([1]);
		add(2);
		expect(done).toEqual([1, 2]);
	});
});
