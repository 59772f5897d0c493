import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { openSupervision } from "../../../src/systemd/supervision.js";

beforeEach(() => {
	vi.useFakeTimers();
});
afterEach(() => {
	vi.useRealTimers();
});

function supervised(watchdogMs: number | undefined) {
	const told: string[] = [];
	const work = { answers: 0, line: "all is well" };
	const supervision = openSupervision({
		manager: {
			watchdogMs,
			ready: () => told.push("ready"),
			reloading: () => told.push("reloading"),
			stopping: () => told.push("stopping"),
			status: (text) => told.push(text),
			alive: () => told.push("alive"),
		},
		progress: () => work.answers,
		line: () => work.line,
	});
	return { supervision, told, work };
}

describe("the watchdog", () => {
	test("is fed at half of its time, while the sensor answers", () => {
		const { supervision, told, work } = supervised(4000);
		work.answers = 2;
		vi.advanceTimersByTime(2000);
		work.answers = 4;
		vi.advanceTimersByTime(2000);
		expect(told).toEqual(["alive", "alive"]);
		supervision.close();
	});

	test("starves while the sensor does not answer, although this thread runs", () => {
		const { supervision, told, work } = supervised(4000);
		work.answers = 2;
		vi.advanceTimersByTime(20_000);
		expect(told).toEqual(["alive"]);
		supervision.close();
	});

	test("never makes a tick faster than a second", () => {
		const { supervision, told, work } = supervised(100);
		for (let ms = 0; ms < 5000; ms += 50) {
			work.answers += 1;
			vi.advanceTimersByTime(50);
		}
		expect(told).toHaveLength(5);
		supervision.close();
	});
});

describe("a manager", () => {
	test("is told the newest line at ready, and at each tick from then on", () => {
		const { supervision, told, work } = supervised(undefined);
		vi.advanceTimersByTime(6000);
		expect(told).toEqual([]);
		supervision.ready();
		work.line = "proxy edge is failed";
		vi.advanceTimersByTime(5000);
		expect(told).toEqual(["all is well", "ready", "proxy edge is failed"]);
		supervision.close();
	});

	test("hears of a reload only once there was something to reload, and of nothing after the end", () => {
		const { supervision, told } = supervised(undefined);
		supervision.reloading();
		supervision.reloaded();
		supervision.ready();
		supervision.reloading();
		supervision.close();
		supervision.reloaded();
		supervision.ready();
		expect(told.filter((word) => !word.includes(" "))).toEqual(["ready", "reloading", "stopping"]);
		expect(vi.getTimerCount()).toBe(0);
	});
});
