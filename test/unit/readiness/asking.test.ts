import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createAsking } from "../../../src/readiness/asking.js";
import { createListeners, questionAt } from "./questions.js";

beforeEach(() => {
	vi.useFakeTimers();
});
afterEach(() => {
	vi.useRealTimers();
});

function setup(maxInFlight?: number) {
	const listeners = createListeners();
	const { ask } = createAsking({
		probe: listeners.probe,
		now: () => performance.now(),
		...(maxInFlight !== undefined && { maxInFlight }),
	});
	const ends: [string, boolean][] = [];
	const start = (address: string, settings?: object) =>
		ask(questionAt(address, settings), (isReady) => ends.push([address, isReady]));
	return { listeners, ends, start };
}

test("one is asked at once, then with pauses, until it answers as wanted, and never again", async () => {
	const { listeners, ends, start } = setup();
	listeners.says.set("10.0.0.1:80", "status 503");
	const asked = start("10.0.0.1");
	expect(listeners.asked).toHaveLength(1);
	expect(ends).toEqual([]);
	await vi.advanceTimersByTimeAsync(350);
	expect(asked).toMatchObject({ probes: 4, last: "status 503" });
	listeners.says.set("10.0.0.1:80", "ready");
	await vi.advanceTimersByTimeAsync(50);
	expect(ends).toEqual([["10.0.0.1", true]]);
	expect(vi.getTimerCount()).toBe(0);
	await vi.advanceTimersByTimeAsync(100_000);
	expect(listeners.asked).toHaveLength(5);
	expect(ends).toHaveLength(1);
});

test("one whose time is over is asked no more, and what is under way ends", async () => {
	const { listeners, ends, start } = setup();
	const asked = start("10.0.0.1", { http: "/", timeout: "2500ms" });
	await vi.advanceTimersByTimeAsync(2499);
	// a question that nobody answers ends after a second, and the next one follows a pause later
	expect(asked).toMatchObject({ probes: 3, last: "no answer" });
	expect(listeners.open).toBe(1);
	await vi.advanceTimersByTimeAsync(1);
	expect(ends).toEqual([["10.0.0.1", false]]);
	expect(listeners.open).toBe(0);
	await vi.advanceTimersByTimeAsync(100_000);
	expect(asked.probes).toBe(3);
	expect(vi.getTimerCount()).toBe(0);
});

test("an answer may take as long as the pause, where that is longer than a second", async () => {
	const { start } = setup();
	const asked = start("10.0.0.1", { http: "/", interval: "3s" });
	await vi.advanceTimersByTimeAsync(5900);
	expect(asked.probes).toBe(1);
	await vi.advanceTimersByTimeAsync(200);
	expect(asked.probes).toBe(2);
	asked.stop();
});

test.each(["while a question is under way", "between two questions"])(
	"one that is stopped %s says no more",
	async (when) => {
		const { listeners, ends, start } = setup();
		if (when === "between two questions") listeners.says.set("10.0.0.1:80", "status 503");
		const asked = start("10.0.0.1");
		await vi.advanceTimersByTimeAsync(50);
		asked.stop();
		await vi.advanceTimersByTimeAsync(100_000);
		expect(ends).toEqual([]);
		expect(listeners.open).toBe(0);
		expect(asked.probes).toBe(1);
		expect(vi.getTimerCount()).toBe(0);
	},
);

test("no more are asked at once than allowed, all in turn, and one that is stopped gives up its turn", async () => {
	const { listeners, ends, start } = setup(2);
	const addresses = [1, 2, 3, 4, 5].map((n) => `10.0.0.${n}`);
	const all = addresses.map((address) => start(address, { http: "/", timeout: "10s" }));
	expect(listeners.asked).toEqual(["10.0.0.1:80", "10.0.0.2:80"]);
	all[2]?.stop();
	await vi.advanceTimersByTimeAsync(4000);
	// the silent take a second each, and nobody twice before all others had their turn
	expect(listeners.asked.slice(0, 8)).toEqual([1, 2, 4, 5, 1, 2, 4, 5].map((n) => `10.0.0.${n}:80`));
	await vi.advanceTimersByTimeAsync(10_000);
	expect(listeners.most).toBe(2);
	expect(ends.map(([address]) => address).sort()).toEqual(["10.0.0.1", "10.0.0.2", "10.0.0.4", "10.0.0.5"]);
	expect(vi.getTimerCount()).toBe(0);
});
