/**
 * Leases against a model: hosts that renew or not, a registry that goes, loses all or comes back, and a clock of Redis that
 * anybody sets to anything at any moment.
 */

import fc from "fast-check";
import { expect, test } from "vitest";
import { createLeases } from "../../../../src/fleet/redis/leases.js";

const LEASES = new Map([
	["a", 10_000],
	["b", 10_000],
	["c", 5000],
	["d", 60_000],
]);
const NAMES = [...LEASES.keys()];
const TICK_MS = 50;
const BEAT_MS = 1000;
/** A registry that is back is found by a host within this. */
const RETRY_MS = 1000;

const story = fc.array(
	fc.record({
		what: fc.constantFrom("wait", "wait", "step", "die", "down", "up", "flush", "there and back"),
		host: fc.constantFrom(...NAMES),
		/** How long until the next. */
		ms: fc.integer({ min: 0, max: 30_000 }),
		stepMs: fc.oneof(
			fc.integer({ min: -600, max: 600 }),
			fc.integer({ min: -20_000, max: 20_000 }),
			fc.integer({ min: -10_000_000, max: 10_000_000 }),
		),
		/** Of the next looks. */
		latencyMs: fc.integer({ min: 0, max: 300 }),
	}),
	{ maxLength: 12 },
);

function play(steps: typeof story extends fc.Arbitrary<infer T> ? T : never) {
	const leases = createLeases();
	const known = new Map([...LEASES].map(([host, lease]) => [host, { lease }]));
	const ends = new Map<string, number>();
	const nextRenewal = new Map(NAMES.map((host, at) => [host, at * 700]));
	const alive = new Set(NAMES);
	/** Since when nothing but time could keep it from being found out. */
	const calmSince = new Map<string, number>();
	let clockMs = 1_700_000_000_000;
	let isUp = true;
	let count = -1;
	let nextBeat = 0;
	let latencyMs = 0;
	const wronged: string[] = [];
	const late: string[] = [];

	const upset = (ms: number) => {
		for (const host of calmSince.keys()) calmSince.set(host, ms);
	};
	const renew = (ms: number) => {
		for (const host of alive) {
			if (!isUp || (nextRenewal.get(host) ?? 0) > ms) continue;
			const lease = LEASES.get(host) ?? 0;
			ends.set(host, ms + clockMs + lease);
			nextRenewal.set(host, ms + lease / 3);
		}
	};
	const look = (ms: number) => {
		if (!isUp) return leases.broke();
		const redisMs = ms + clockMs;
		const entries = [...ends];
		const shortest = Math.min(...[...known.values()].map(({ lease }) => lease));
		const isAll = leases.wantsAll || count !== ends.size;
		if (isAll) count = ends.size;
		const { over } = leases.beat(
			{
				askedMs: ms - latencyMs / 2,
				answeredMs: ms + latencyMs / 2,
				redisMs,
				ended: new Map(entries.filter(([, end]) => end <= redisMs)),
				ahead: new Map(entries.filter(([, end]) => end > redisMs + shortest)),
				all: isAll ? new Map(entries) : undefined,
			},
			known,
		);
		for (const { host } of over) {
			known.delete(host);
			if (alive.has(host)) wronged.push(`${host} at ${ms}`);
		}
		for (const [host, sinceMs] of calmSince) {
			if (known.has(host) && ms - sinceMs > 2 * (LEASES.get(host) ?? 0) + BEAT_MS) late.push(`${host} at ${ms}`);
		}
	};

	let ms = 0;
	const run = (untilMs: number) => {
		for (; ms < untilMs; ms += TICK_MS) {
			renew(ms);
			if (ms < nextBeat) continue;
			nextBeat = ms + BEAT_MS;
			look(ms);
		}
	};
	run(10_000);
	for (const step of steps) {
		latencyMs = step.latencyMs;
		if (step.what === "step") {
			clockMs += step.stepMs;
			upset(ms);
		} else if (step.what === "there and back") {
			// Between two looks, while all happen to renew.
			clockMs += step.stepMs;
			for (const host of alive) nextRenewal.set(host, 0);
			renew(ms);
			clockMs -= step.stepMs;
			upset(ms);
		} else if (step.what === "die" && alive.delete(step.host)) {
			calmSince.set(step.host, ms);
		} else if (step.what === "flush") {
			ends.clear();
			upset(ms);
		} else if (step.what === "down" || step.what === "up") {
			if (isUp !== (step.what === "up")) {
				for (const host of alive) nextRenewal.set(host, Math.max(nextRenewal.get(host) ?? 0, ms + RETRY_MS));
			}
			isUp = step.what === "up";
			upset(isUp ? ms : Number.POSITIVE_INFINITY);
		}
		run(ms + step.ms);
	}
	isUp = true;
	upset(ms);
	run(ms + 2 * 60_000 + 3 * BEAT_MS);
	return { wronged, late, alive, known };
}

test("who renews is never over, whatever the clock of Redis does, and who does not is over within two leases", () => {
	fc.assert(
		fc.property(story, (steps) => {
			const { wronged, late, alive, known } = play(steps);
			expect(wronged).toEqual([]);
			expect(late).toEqual([]);
			expect([...known.keys()].sort()).toEqual([...alive].sort());
		}),
		{
			numRuns: 500,
			// a renewal gives by chance the very end that a step had given before
			examples: [
				[
					[
						{ what: "wait", host: "a", ms: 10_001, stepMs: 0, latencyMs: 0 },
						{ what: "there and back", host: "a", ms: 0, stepMs: 20_000, latencyMs: 0 },
					],
				],
			],
		},
	);
});
