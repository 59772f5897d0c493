import fc from "fast-check";
import { expect, test } from "vitest";
import { createHungWatch } from "../../../src/listeners/hung.js";
import { socketId } from "../../../src/listeners/ids.js";

const idOf = (n: number) => socketId(BigInt(n));
const full = (n: number, head: string, queued = 2) => ({ socket: idOf(n), queued, head });

test("a queue that is full with the same head for long enough is that of a hung socket", () => {
	const watch = createHungWatch(3000);
	expect(watch.look([full(1, "a")], 500).size).toBe(0);
	expect(watch.dueMs).toBe(3500);
	expect(watch.look([full(1, "a")], 3499).size).toBe(0);
	expect(watch.look([full(1, "a", 5)], 3500)).toEqual(new Map([[idOf(1), expect.objectContaining({ sinceMs: 500 })]]));
	expect(watch.dueMs).toBeUndefined();
});

test("looks take time: it counts from the end of the first one to the beginning of the one that decides", () => {
	const watch = createHungWatch(1000);
	watch.look([full(1, "a")], 0, 300);
	expect(watch.look([full(1, "a")], 1200, 1400).size).toBe(0);
	expect(watch.dueMs).toBe(1300);
	expect(watch.look([full(1, "a")], 1300, 1500).size).toBe(1);
});

test("a head that moved says that something was accepted: it begins anew", () => {
	const watch = createHungWatch(3000);
	watch.look([full(1, "a")], 0);
	watch.look([full(1, "b")], 2999);
	expect(watch.look([full(1, "b")], 3000).size).toBe(0);
	expect(watch.look([full(1, "b")], 5999).size).toBe(1);
	expect(watch.look([full(1, "c")], 6000).size).toBe(0);
});

test("a look that failed in between takes nothing away: nothing was accepted meanwhile either", () => {
	const watch = createHungWatch(3000);
	watch.look([full(1, "a")], 0);
	expect(watch.look([full(1, "a")], 60_000).size).toBe(1);
});

test("one that is no longer full is no longer hung, and tells the same value for as long as it is", () => {
	const watch = createHungWatch(1000);
	watch.look([full(1, "a")], 0);
	const first = watch.look([full(1, "a")], 1000).get(idOf(1));
	expect(watch.look([full(1, "a", 9)], 2000).get(idOf(1))).toBe(first);
	expect(watch.look([], 3000).size).toBe(0);
});

test("hung is exactly who accepted nothing for so long while its queue was full, whenever it was looked at", () => {
	// what happens between two looks: whether it accepts one, whether its queue fills, and how much later the next look is
	const story = fc.array(
		fc.record({ accepts: fc.integer({ min: 0, max: 9 }).map((n) => n < 3), fills: fc.boolean(), ms: fc.nat(2000) }),
		{ maxLength: 40 },
	);
	fc.assert(
		fc.property(story, fc.integer({ min: 1, max: 5000 }), (steps, afterMs) => {
			const watch = createHungWatch(afterMs);
			let nowMs = 0;
			let head = 0;
			let isFull = false;
			/** Since when looks saw it full without an accept in between. */
			let sinceMs: number | undefined;
			for (const { accepts, fills, ms } of steps) {
				nowMs += ms;
				if (accepts) {
					head++;
					isFull = false;
					sinceMs = undefined;
				}
				isFull ||= fills;
				if (isFull) sinceMs ??= nowMs;
				const hung = watch.look(isFull ? [full(1, String(head))] : [], nowMs);
				const isHung = sinceMs !== undefined && nowMs - sinceMs >= afterMs;
				expect(hung.has(idOf(1))).toBe(isHung);
				expect(watch.dueMs).toBe(sinceMs === undefined || isHung ? undefined : sinceMs + afterMs);
			}
		}),
	);
});
