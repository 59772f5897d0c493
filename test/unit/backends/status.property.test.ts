import fc from "fast-check";
import { expect, test } from "vitest";
import { createPools, type Pools } from "../../../src/backends/pools.js";
import { configSchema } from "../../../src/config/schema.js";
import { backendOf } from "./backend.js";

const rulesWith = (drainTimeout: string) =>
	configSchema.parse({
		services: { web: { match: { port: 80 }, lastGrace: "3s", drainTimeout } },
		flap: { max: 3, window: "10s", hold: "4s" },
	});

const step = fc.record({
	op: fc.constantFrom(
		"listen",
		"gated",
		"close",
		"stop",
		"pause",
		"vanish",
		"drain",
		"release",
		"confirm",
		"rules",
		"wait",
	),
	address: fc.integer({ min: 1, max: 4 }),
	stranger: fc.boolean(),
	ms: fc.integer({ min: 1, max: 3000 }),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

function take(pools: Pools, { op, address, stranger, ms }: Step, nowMs: number): void {
	const backend = backendOf(`10.0.0.${address}`, stranger ? { netns: "stranger" } : {});
	const { endpoint, id } = backend;
	switch (op) {
		case "listen":
			pools.set(endpoint, [{ backend }], "", nowMs);
			break;
		case "gated":
			pools.set(endpoint, [{ backend, gate: { state: "waiting", why: (atMs) => `asked at ${atMs}` } }], "", nowMs);
			break;
		case "stop":
			pools.set(endpoint, [{ backend, told: { signal: "SIGTERM", atNs: nowMs, atMs: nowMs } }], "", nowMs);
			break;
		case "pause":
			pools.set(
				endpoint,
				[{ backend, stuck: { kind: "paused", by: "signal", pid: 1, atNs: ms, atMs: nowMs } }],
				"",
				nowMs,
			);
			break;
		case "vanish":
			pools.set(endpoint, [], "it vanished", nowMs);
			break;
		case "close":
			pools.close(endpoint, nowMs);
			break;
		case "drain":
			pools.hold({ service: "web", id, state: "drain" });
			break;
		case "release":
			pools.release({ service: "web", id });
			break;
		case "confirm":
			pools.confirm(nowMs);
			break;
		case "rules":
			pools.reconfigure(rulesWith(ms > 1500 ? "5s" : "1s"));
			break;
		case "wait":
			pools.expire(nowMs);
			break;
		default:
			op satisfies never;
	}
	pools.commit(nowMs);
}

test("what is said of backends is the same, however often it was asked for before", () => {
	fc.assert(
		fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
			const [asked, quiet] = [createPools(rulesWith("5s")), createPools(rulesWith("5s"))];
			let nowMs = 0;
			for (const one of steps) {
				nowMs += one.ms;
				take(asked, one, nowMs);
				take(quiet, one, nowMs);
				asked.status(nowMs);
			}
			expect(asked.status(nowMs)).toEqual(quiet.status(nowMs));
		}),
		{ numRuns: 300 },
	);
});
