import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { acted, changed, dueAtMs, SETTLED, type SettleState } from "../../../src/backends/settle.js";

const policy = { quiet: 100, max: 2000 };

describe("the settle policy", () => {
	test("lets the first change through at once", () => {
		expect(dueAtMs(changed(SETTLED, 5000), policy)).toBe(5000);
	});

	test("gathers what follows until nothing changed for `quiet`", () => {
		let state = acted(changed(SETTLED, 0), 0);
		state = changed(state, 40);
		state = changed(state, 90);
		expect(dueAtMs(state, policy)).toBe(190);
	});

	test("lets a change through at once again after quiet", () => {
		const state = acted(changed(SETTLED, 0), 0);
		expect(dueAtMs(changed(state, 100), policy)).toBe(100);
		expect(dueAtMs(changed(state, 99), policy)).toBe(199);
	});

	test("gathers for `max` at most", () => {
		let state = acted(changed(SETTLED, 0), 0);
		for (let ms = 50; ms <= 3000; ms += 50) state = changed(state, ms);
		expect(dueAtMs(state, policy)).toBe(2050);
	});

	test("follows a policy that changes while something waits", () => {
		const state = changed(acted(changed(SETTLED, 0), 0), 50);
		expect(dueAtMs(state, { quiet: 10, max: 20 })).toBe(50);
		expect(dueAtMs(state, { quiet: 500, max: 5000 })).toBe(550);
	});

	const policies = fc.record({ quiet: fc.nat(500), max: fc.nat(3000) }).filter(({ quiet, max }) => quiet <= max);
	/** Pauses before each change, in milliseconds. */
	const pauses = fc.array(fc.nat(400), { minLength: 1, maxLength: 60 });

	/** Acts whenever something is due, as a loop does, and tells of each act which changes it covers. */
	function simulate(changesMs: readonly number[], { quiet, max }: typeof policy) {
		const acts: { atMs: number; covers: number[] }[] = [];
		let state: SettleState = SETTLED;
		let gathered: number[] = [];
		const actUntil = (untilMs: number) => {
			for (let dueMs = dueAtMs(state, { quiet, max }); dueMs !== undefined && dueMs <= untilMs; ) {
				acts.push({ atMs: dueMs, covers: gathered });
				gathered = [];
				state = acted(state, dueMs);
				dueMs = dueAtMs(state, { quiet, max });
			}
		};
		for (const changeMs of changesMs) {
			actUntil(changeMs - 1);
			state = changed(state, changeMs);
			gathered.push(changeMs);
		}
		actUntil(Number.POSITIVE_INFINITY);
		return { acts, state };
	}

	function timesOf(gaps: readonly number[]): number[] {
		let ms = 0;
		return gaps.map((gap) => {
			ms += gap;
			return ms;
		});
	}

	test("acts on every change, never without one, and never later than `max` after it", () => {
		fc.assert(
			fc.property(pauses, policies, (gaps, some) => {
				const changesMs = timesOf(gaps);
				const { acts, state } = simulate(changesMs, some);
				expect(acts.flatMap(({ covers }) => covers)).toEqual(changesMs);
				for (const { atMs, covers } of acts) {
					expect(covers.length).toBeGreaterThan(0);
					for (const changeMs of covers) {
						expect(atMs).toBeGreaterThanOrEqual(changeMs);
						expect(atMs - changeMs).toBeLessThanOrEqual(some.max);
					}
				}
				expect(dueAtMs(state, some)).toBeUndefined();
			}),
		);
	});

	test("lets every first change after quiet through at once", () => {
		fc.assert(
			fc.property(pauses, policies, (gaps, some) => {
				const changesMs = timesOf(gaps);
				const { acts } = simulate(changesMs, some);
				for (const [index, { atMs, covers }] of acts.entries()) {
					const [first = 0] = covers;
					const before = acts[index - 1];
					const activeMs = before === undefined ? Number.NEGATIVE_INFINITY : before.atMs;
					if (first - activeMs >= some.quiet) expect(atMs).toBe(first);
				}
			}),
		);
	});
});
