/** The loop of a proxy whose every change is a reload, under whatever comes and goes. */

import fc from "fast-check";
import { pino } from "pino";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { backendId, type DesiredSet } from "../../../src/backends/backend.js";
import type { Driver } from "../../../src/proxies/driver.js";
import { openLoop } from "../../../src/proxies/loop.js";
import { proxyConfig, web } from "../../desired.js";

const SETTLE = { quiet: 100, max: 1000 };
const INTERVAL_MS = 500;
const ADDRESSES = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"];

const addressesOf = (desired: DesiredSet) => desired.flatMap(({ backends }) => backends.map(({ address }) => address));

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] }));
afterEach(() => void vi.useRealTimers());

/** One comes or goes, so long after the one before. */
const turn = fc.record({
	address: fc.constantFrom(...ADDRESSES),
	afterMs: fc.oneof(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 0, max: 400 })),
});

test("nobody joins who was not there for long enough, nobody who is gone stays for long, and the last state is live", async () => {
	await fc.assert(
		fc.asyncProperty(fc.array(turn, { maxLength: 120 }), async (turns) => {
			const up = new Map<string, number>();
			const downMs = new Map<string, number>();
			let live: readonly string[] = [];
			const runsMs: number[] = [];
			const joinedAfterMs: number[] = [];
			const leftAfterMs: number[] = [];
			const driver: Driver<readonly string[], readonly string[]> = {
				read: async () => live,
				serversIn: () => [],
				serversOf: () => [],
				plan(actual, desired) {
					const wanted = addressesOf(desired);
					const left = actual.filter((address) => !wanted.includes(address));
					const joined = wanted.filter((address) => !actual.includes(address));
					const reload = left.length + joined.length > 0;
					return { steps: reload ? [wanted] : [], diff: { joined, left }, reload };
				},
				describe: String,
				async run([step = []]) {
					const nowMs = performance.now();
					for (const address of step.filter((one) => !live.includes(one))) {
						joinedAfterMs.push(nowMs - (up.get(address) ?? Number.POSITIVE_INFINITY));
					}
					for (const address of live.filter((one) => !step.includes(one))) {
						leftAfterMs.push(nowMs - (downMs.get(address) ?? nowMs));
					}
					runsMs.push(nowMs);
					live = step;
					return { kind: "applied", stagesMs: { reload: 1 } };
				},
				async close() {},
			};
			let desired = web();
			const loop = openLoop({
				proxy: proxyConfig({ reloadInterval: `${INTERVAL_MS}ms` }),
				driver,
				desired: () => desired,
				backend: ({ id }) => desired[0]?.backends.find((backend) => backend.id === id),
				settle: SETTLE,
				log: pino({ level: "silent" }),
				random: () => 0.5,
			});
			await vi.advanceTimersByTimeAsync(1000);
			for (const { address, afterMs } of turns) {
				await vi.advanceTimersByTimeAsync(afterMs);
				const atMs = performance.now();
				const removal = up.delete(address);
				if (removal) downMs.set(address, atMs);
				else up.set(address, atMs);
				desired = web(...[...up.keys()].sort());
				loop.notify({ atMs, removal, touched: [{ service: "web", id: backendId(address, 80) }] });
			}
			const lastMs = performance.now();
			await vi.advanceTimersByTimeAsync(SETTLE.max + SETTLE.quiet + 2 * INTERVAL_MS);
			expect(live).toEqual([...up.keys()].sort());
			expect(Math.min(...joinedAfterMs)).toBeGreaterThanOrEqual(SETTLE.quiet);
			// Gathered, kept waiting for newcomers, and by the limit, where it has used up its burst.
			expect(Math.max(...leftAfterMs)).toBeLessThanOrEqual(SETTLE.max + SETTLE.quiet + INTERVAL_MS);
			// Once it is quiet, one reload, which the limit may hold back.
			expect(runsMs.filter((atMs) => atMs > lastMs + SETTLE.quiet + INTERVAL_MS)).toEqual([]);
			await loop.close();
		}),
		{ numRuns: 200 },
	);
});
