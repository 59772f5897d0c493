import { expect, test } from "vitest";
import { type Beat, createLeases } from "../../../../src/fleet/redis/leases.js";

const LEASE = 10_000;
const known = new Map([
	["a", { lease: LEASE }],
	["b", { lease: LEASE }],
]);
const none: ReadonlyMap<string, number> = new Map();

/** Looks once a second, from `fromMs` to `toMs` of our clock; when and who was over. */
function look(
	leases: ReturnType<typeof createLeases>,
	fromMs: number,
	toMs: number,
	found: (ms: number) => Partial<Beat>,
) {
	const over: [number, string][] = [];
	for (let ms = fromMs; ms <= toMs; ms += 1000) {
		const beat = { askedMs: ms, answeredMs: ms, redisMs: ms, ended: none, ahead: none, ...found(ms) };
		for (const { host } of leases.beat(beat, known).over) over.push([ms, host]);
	}
	return over;
}

test("a lease that ended is doubtful, and over when a renewal is missing for sure", () => {
	const leases = createLeases();
	expect(look(leases, 0, 20_000, () => ({}))).toEqual([]);
	expect(look(leases, 21_000, 23_000, () => ({ ended: new Map([["a", 20_500]]) }))).toEqual([]);
	expect(leases.isDoubtful("a")).toBe(true);
	expect(look(leases, 24_000, 30_000, () => ({ ended: new Map([["a", 20_500]]) }))[0]).toEqual([25_000, "a"]);
});

test("nobody is over before a full lease after a connection, a failed look, or a jump of Redis' clock", () => {
	const ended = () => ({ ended: new Map([["a", 500]]) });
	const connected = createLeases();
	expect(look(connected, 0, 15_000, ended)[0]).toEqual([10_000, "a"]);

	const failed = createLeases();
	look(failed, 0, 20_000, () => ({}));
	failed.broke();
	expect(look(failed, 21_000, 40_000, ended)[0]).toEqual([31_000, "a"]);

	const jumped = createLeases();
	look(jumped, 0, 20_000, () => ({}));
	expect(look(jumped, 21_000, 40_000, (ms) => ({ ...ended(), redisMs: ms + 501 }))[0]).toEqual([31_000, "a"]);
});

test("a clock that goes a little off, or an answer that was long on its way, is no jump", () => {
	const leases = createLeases();
	look(leases, 0, 20_000, () => ({}));
	const slow = (ms: number) => ({ ended: new Map([["a", 500]]), redisMs: ms + 400, askedMs: ms, answeredMs: ms + 900 });
	expect(look(leases, 21_000, 40_000, slow)[0]).toEqual([26_000, "a"]);
});

test("after the clock was set back, a lease that ends later than it can and is not renewed is over", () => {
	const leases = createLeases();
	look(leases, 0, 20_000, () => ({}));
	const back = (ms: number) => ({ redisMs: ms - 3_600_000, ahead: new Map([["b", 25_000]]) });
	expect(look(leases, 21_000, 40_000, back)[0]).toEqual([31_000, "b"]);
});

test("a host without a lease is over after a full one, and back when it has one again", () => {
	const leases = createLeases();
	look(leases, 0, 20_000, () => ({}));
	expect(look(leases, 21_000, 30_000, () => ({ all: new Map([["b", 99_000]]) }))).toEqual([]);
	expect(leases.wantsAll).toBe(true);
	const again = leases.beat(
		{
			askedMs: 30_500,
			answeredMs: 30_500,
			redisMs: 30_500,
			ended: none,
			ahead: none,
			all: new Map([
				["a", 40_000],
				["b", 99_000],
			]),
		},
		known,
	);
	expect(again).toEqual({ over: [], back: ["a"] });
	expect(leases.wantsAll).toBe(false);
	expect(look(leases, 31_000, 50_000, () => ({ all: new Map([["b", 99_000]]) }))[0]).toEqual([41_000, "a"]);
});

test("who renews after its lease was over is told as back, known or not", () => {
	const leases = createLeases();
	look(leases, 0, 20_000, () => ({ ended: new Map([["stranger", 1]]) }));
	const { back } = leases.beat(
		{ askedMs: 21_000, answeredMs: 21_000, redisMs: 21_000, ended: none, ahead: none },
		known,
	);
	expect(back).toEqual(["stranger"]);
});

test("leases that end together are over together", () => {
	const leases = createLeases();
	look(leases, 0, 20_000, () => ({}));
	const both = () => ({
		ended: new Map([
			["a", 20_400],
			["b", 20_500],
		]),
	});
	expect(look(leases, 21_000, 25_000, both)).toEqual([
		[25_000, "a"],
		[25_000, "b"],
	]);
});
