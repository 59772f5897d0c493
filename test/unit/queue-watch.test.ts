import { pino } from "pino";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Config } from "../../src/config/schema.js";
import type { FullQueue } from "../../src/listeners/event.js";
import { type SocketId, socketId } from "../../src/listeners/ids.js";
import { createQueueWatch } from "../../src/queue-watch.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const socket = socketId(1n);
const queue = (head: string): FullQueue => ({ socket, queued: 3, head });

function setup(hung: Config["hung"] = { after: 2500 }) {
	/** What a look finds; an error: it fails. */
	let full: readonly FullQueue[] | Error = [];
	const looks: number[] = [];
	const told: SocketId[][] = [];
	const warnings: string[] = [];
	const log = pino({ level: "warn" }, { write: (line) => void warnings.push(String(JSON.parse(line).reason)) });
	const watch = createQueueWatch({
		hung,
		readFullQueues() {
			looks.push(performance.now());
			if (full instanceof Error) throw full;
			return full;
		},
		onHung: (found) => told.push([...found.keys()]),
		log,
		now: () => performance.now(),
	});
	return {
		watch,
		looks,
		told,
		warnings,
		find: (found: readonly FullQueue[] | Error) => {
			full = found;
		},
	};
}

test("nobody looks while nobody is there, or where it is switched off: there is no timer", () => {
	const off = setup(false);
	off.watch.need(true);
	const { watch, looks, told } = setup();
	watch.need(false);
	expect(vi.getTimerCount()).toBe(0);
	watch.need(true);
	watch.need(true);
	expect(vi.getTimerCount()).toBe(1);
	vi.advanceTimersByTime(3000);
	expect(looks).toHaveLength(3);
	watch.need(false);
	expect(vi.getTimerCount()).toBe(0);
	expect(told.at(-1)).toEqual([]);
});

test("the look that decides comes when the time is over, not a second later", () => {
	const { watch, looks, told, find } = setup();
	const began = performance.now();
	find([queue("a")]);
	watch.need(true);
	vi.advanceTimersByTime(3500);
	expect(looks.map((ms) => ms - began)).toEqual([1000, 2000, 3000, 3500]);
	expect(told).toEqual([[], [], [], [socket]]);
	watch.close();
});

test("a look that fails changes nothing, is told once, and is tried again a second later", () => {
	const { watch, looks, told, warnings, find } = setup({ after: 1000 });
	find([queue("a")]);
	watch.need(true);
	vi.advanceTimersByTime(2000);
	expect(told).toEqual([[], [socket]]);
	find(new Error("no such map"));
	vi.advanceTimersByTime(3000);
	expect(looks).toHaveLength(5);
	expect(told).toHaveLength(2);
	expect(warnings).toEqual(["no such map"]);
	find([]);
	vi.advanceTimersByTime(1000);
	expect(told.at(-1)).toEqual([]);
	watch.close();
	expect(vi.getTimerCount()).toBe(0);
});

test("another rule begins anew, the same one goes on; none ends it", () => {
	const { watch, told, find } = setup();
	find([queue("a")]);
	watch.need(true);
	vi.advanceTimersByTime(1000);
	watch.reconfigure({ after: 2500 });
	vi.advanceTimersByTime(2500);
	expect(told.at(-1)).toEqual([socket]);
	watch.reconfigure({ after: 1000 });
	expect(told.at(-1)).toEqual([]);
	vi.advanceTimersByTime(2000);
	expect(told.at(-1)).toEqual([socket]);
	watch.reconfigure(false);
	expect(told.at(-1)).toEqual([]);
	expect(vi.getTimerCount()).toBe(0);
});
