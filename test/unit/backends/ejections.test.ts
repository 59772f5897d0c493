import { expect, test } from "vitest";
import { backendId } from "../../../src/backends/backend.js";
import { createEjections } from "../../../src/backends/ejections.js";

const idOf = (n: number) => backendId(`10.0.0.${n}`, 80);
const unfit = (sinceMs: number) => ({ kind: "unfit", sinceMs, untilMs: 30_000 }) as const;

test("those that were told first go first, in whatever order it became known", () => {
	const ejections = createEjections();
	for (let n = 1; n <= 10; n++) ejections.file(idOf(n), { kind: "plain" });
	for (const [n, ms] of [
		[1, 50],
		[2, 20],
		[3, 40],
		[4, 10],
	] as const) {
		ejections.file(idOf(n), unfit(ms));
	}
	expect(new Set(ejections.weigh(0.3))).toEqual(new Set([idOf(2), idOf(3), idOf(4)]));
	expect(ejections.outcome(idOf(1))).toBe("ready");
	expect(ejections.ready).toBe(7);
});

test("weighing again tells of nothing when nothing was filed", () => {
	const ejections = createEjections();
	for (let n = 1; n <= 4; n++) ejections.file(idOf(n), n < 3 ? unfit(n) : { kind: "plain" });
	expect(ejections.weigh(0.5)).toEqual([idOf(1), idOf(2)]);
	expect(ejections.weigh(0.5)).toEqual([]);
	expect(ejections.weigh(0)).toEqual([idOf(2)]);
});

test("one whose opinion changes leaves its place to the next", () => {
	const ejections = createEjections();
	for (let n = 1; n <= 4; n++) ejections.file(idOf(n), n < 3 ? unfit(n) : { kind: "plain" });
	ejections.weigh(0);
	ejections.file(idOf(1), { kind: "held" });
	expect(ejections.weigh(0)).toContain(idOf(2));
	expect(ejections.outcome(idOf(1))).toBe("held");
	expect(ejections.outcome(idOf(2))).toBe("drain");
	ejections.file(idOf(2), undefined);
	ejections.weigh(0);
	expect(ejections.outcome(idOf(2))).toBeUndefined();
	expect(ejections.listening).toBe(3);
});

test("who is stuck goes before all who were told to stop, whenever it became known; each comes out in its own way", () => {
	const ejections = createEjections();
	for (let n = 1; n <= 10; n++) ejections.file(idOf(n), { kind: "plain" });
	ejections.file(idOf(1), unfit(10));
	ejections.file(idOf(2), unfit(20));
	ejections.file(idOf(3), { kind: "stuck", sinceMs: 40 });
	ejections.file(idOf(4), { kind: "stuck", sinceMs: 30 });
	expect(new Set(ejections.weigh(0.3))).toEqual(new Set([idOf(1), idOf(3), idOf(4)]));
	expect([1, 2, 3, 4].map((n) => ejections.outcome(idOf(n)))).toEqual(["drain", "ready", "down", "down"]);
	expect([...ejections.timed()].map(([id]) => id)).toEqual([idOf(1), idOf(2)]);
	ejections.weigh(0.1);
	expect([1, 2, 3, 4].map((n) => ejections.outcome(idOf(n)))).toEqual(["ready", "ready", "ready", "down"]);
});

test("those that are held out since they flap count, too", () => {
	const ejections = createEjections();
	for (let n = 1; n <= 10; n++) ejections.file(idOf(n), n < 3 ? { kind: "flapping", untilMs: 100 } : { kind: "plain" });
	for (let n = 3; n <= 5; n++) ejections.file(idOf(n), { kind: "stuck", sinceMs: n });
	ejections.weigh(0.4);
	expect([1, 2, 3, 4, 5].map((n) => ejections.outcome(idOf(n)))).toEqual(["out", "out", "down", "down", "ready"]);
});
