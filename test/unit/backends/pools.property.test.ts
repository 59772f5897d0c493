import fc from "fast-check";
import { expect, test } from "vitest";
import { type Backend, backendId, sameBackend } from "../../../src/backends/backend.js";
import type { Claim } from "../../../src/backends/claims.js";
import type { Gate } from "../../../src/backends/gate.js";
import { createPools, type Pools } from "../../../src/backends/pools.js";
import { configSchema } from "../../../src/config/schema.js";
import type { EndpointKey } from "../../../src/listeners/ids.js";
import { backendOf } from "./backend.js";

const DRAIN_MS = 5000;
const FLAP_MAX = 3;
const rules = configSchema.parse({
	services: { web: { match: { port: 80 }, lastGrace: "3s", drainTimeout: "5s" } },
	flap: { max: FLAP_MAX, window: "10s", hold: "4s" },
	guard: { maxDrop: "50%", maxEjected: "30%" },
});

const ADDRESSES = 8;
const op = fc.oneof(
	{ weight: 6, arbitrary: fc.constant("listen" as const) },
	{ weight: 4, arbitrary: fc.constant("close" as const) },
	{ weight: 3, arbitrary: fc.constant("stop" as const) },
	{ weight: 3, arbitrary: fc.constant("pause" as const) },
	{ weight: 2, arbitrary: fc.constant("resume" as const) },
	{ weight: 3, arbitrary: fc.constant("answer" as const) },
	{ weight: 2, arbitrary: fc.constant("wait" as const) },
	fc.constantFrom(
		"drain" as const,
		"down" as const,
		"release" as const,
		"vanish" as const,
		"confirm" as const,
		"reconfigure" as const,
	),
);
const story = fc.array(
	fc.record({
		op,
		address: fc.integer({ min: 1, max: ADDRESSES }),
		/** Mostly its own namespace; sometimes one that claims what another has. */
		stranger: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
		/** Whether one that listens has to answer before it joins. */
		gated: fc.integer({ min: 0, max: 3 }).map((n) => n === 0),
		/** Mostly one change a step. */
		batched: fc.boolean(),
		ms: fc.integer({ min: 1, max: 3000 }),
	}),
	{ maxLength: 120 },
);

interface Open {
	readonly backend: Backend;
	readonly toldMs?: number;
	/** Since when it is paused. */
	readonly stuckMs?: number | undefined;
	/** Undefined once it answered. */
	readonly gate?: Gate | undefined;
}

const GATE: Gate = { state: "waiting", why: () => "waits for its answer" };

/** What a test knows apart from the pools: who listens, and what was said of it. */
function createModel() {
	return {
		open: new Map<EndpointKey, Open>(),
		held: new Map<string, "drain" | "down">(),
		closes: new Map<string, number>(),
	};
}

const claimOf = ({ backend, toldMs, stuckMs, gate }: Open): Claim => ({
	backend,
	gate,
	...(stuckMs !== undefined && {
		stuck: { kind: "paused", by: "signal", pid: 1, atNs: stuckMs * 1e6, atMs: stuckMs },
	}),
	...(toldMs !== undefined && { told: { signal: "SIGTERM", atNs: toldMs * 1e6, atMs: toldMs } }),
});

const desiredOf = (pools: Pools) =>
	new Map(pools.desired().flatMap(({ backends }) => backends.map((one) => [one.id, one])));

test("whatever comes, goes, stops, is paused, flaps, waits or is held: somebody stays ready, and each change names what it touched", () => {
	fc.assert(
		fc.property(story, (steps) => {
			const pools = createPools(rules);
			const model = createModel();
			let nowMs = 0;
			let before = desiredOf(pools);

			const put = (open: Open) => {
				model.open.set(open.backend.endpoint, open);
				pools.set(open.backend.endpoint, [claimOf(open)], "", nowMs);
			};

			const apply = ({ op, address, stranger, gated, ms }: (typeof steps)[number]) => {
				const backend = backendOf(`10.0.0.${address}`, stranger ? { netns: "stranger" } : {});
				const { endpoint, id } = backend;
				const was = model.open.get(endpoint);
				switch (op) {
					case "listen":
						put({ backend, gate: gated ? GATE : undefined });
						break;
					case "answer":
						if (was !== undefined) put({ ...was, gate: undefined });
						break;
					case "close":
						pools.close(endpoint, nowMs);
						if (model.open.delete(endpoint)) model.closes.set(id, (model.closes.get(id) ?? 0) + 1);
						break;
					case "stop":
						if (was !== undefined) put({ ...was, toldMs: nowMs });
						break;
					case "pause":
						if (was !== undefined) put({ ...was, stuckMs: was.stuckMs ?? nowMs });
						break;
					case "resume":
						if (was !== undefined) put({ ...was, stuckMs: undefined });
						break;
					case "drain":
					case "down":
						pools.hold({ service: "web", id, state: op });
						model.held.set(id, op);
						break;
					case "release":
						expect(pools.release({ service: "web", id })).toBe(model.held.delete(id));
						break;
					case "vanish":
						// it, and all after it: often enough at once to be withheld
						for (let n = address; n <= ADDRESSES; n++) {
							const gone = backendOf(`10.0.0.${n}`).endpoint;
							pools.set(gone, [], "it vanished", nowMs);
							model.open.delete(gone);
						}
						break;
					case "confirm":
						pools.confirm(nowMs);
						break;
					case "reconfigure":
						pools.reconfigure(rules);
						break;
					case "wait":
						nowMs += ms;
						pools.expire(nowMs);
						break;
					default:
						op satisfies never;
				}
			};

			const check = () => {
				const { touched } = pools.commit(nowMs);
				const after = desiredOf(pools);
				const ids = Array.from({ length: ADDRESSES }, (_, i) => backendId(`10.0.0.${i + 1}`, 80));
				const differing = ids.filter((id) => !sameBackend(before.get(id), after.get(id)));
				expect(touched.map(({ id }) => id).sort()).toEqual(differing);
				for (const id of ids) expect(pools.backend({ service: "web", id })).toEqual(after.get(id));
				before = after;

				const alone = ids.flatMap((id) => {
					const claims = [...model.open.values()].filter(({ backend }) => backend.id === id);
					const [only] = claims;
					return only === undefined || claims.length > 1 ? [] : [{ ...only, id }];
				});
				const gated = alone.filter(({ gate }) => gate !== undefined);
				for (const { id } of gated) {
					const state = model.held.get(id);
					expect(after.get(id)?.state).toBe(state);
					const { reason } = pools.statusOf({ service: "web", id }, nowMs) ?? {};
					if (state === undefined) expect(reason).toBe("waits for its answer");
				}
				const listening = alone.filter(({ gate }) => gate === undefined);
				const free = listening.filter(({ id }) => !model.held.has(id));
				for (const { id } of listening) {
					const state = model.held.get(id);
					if (state !== undefined) expect(after.get(id)).toMatchObject({ state, held: true });
				}
				const shown = [...after.values()];
				if (free.length > 0) expect(shown.some(({ state }) => state === "ready")).toBe(true);
				const isUnfit = ({ toldMs, stuckMs }: Open) =>
					stuckMs !== undefined || (toldMs !== undefined && nowMs < toldMs + DRAIN_MS);
				for (const { id, ...open } of free) {
					const mayFlap = (model.closes.get(id) ?? 0) >= FLAP_MAX;
					if (!mayFlap && !isUnfit(open)) expect(after.get(id)).toMatchObject({ state: "ready", held: false });
				}
				const stateOf = ({ id }: { readonly id: Backend["id"] }) => after.get(id)?.state;
				const ejected = free.filter((one) => stateOf(one) === "drain" || stateOf(one) === "down");
				const left = free.filter((one) => isUnfit(one) && stateOf(one) === "ready");
				for (const one of ejected) {
					expect(isUnfit(one)).toBe(true);
					expect(stateOf(one)).toBe(one.stuckMs === undefined ? "drain" : "down");
				}
				const present = new Set([...listening.map(({ id }) => id), ...shown.map(({ id }) => id)]);
				expect(ejected.length).toBeLessThanOrEqual(Math.max(1, Math.floor(present.size * 0.3)));
				const mayAllFlap = [...model.closes.values()].some((closes) => closes >= FLAP_MAX);
				for (const one of left) {
					if (mayAllFlap) break;
					for (const other of ejected) {
						// whoever is stuck goes before all that were told to stop
						if (one.stuckMs !== undefined) expect(other.stuckMs).toBeLessThanOrEqual(one.stuckMs);
						else if (other.stuckMs === undefined) expect(other.toldMs).toBeLessThanOrEqual(one.toldMs ?? 0);
					}
				}
			};

			for (const step of steps) {
				apply(step);
				if (!step.batched) check();
			}
			check();
			// what waited is confirmed, everybody has answered and runs, and every time is over
			for (const open of model.open.values()) put({ ...open, gate: undefined, stuckMs: undefined });
			nowMs += 3_600_000;
			pools.expire(nowMs);
			pools.confirm(nowMs);
			check();
			for (let i = 0; i < 3; i++) {
				nowMs += 3_600_000;
				pools.expire(nowMs);
				check();
			}
			expect(pools.dueMs).toBeUndefined();
			const claims = [...model.open.values()].map(({ backend: { id } }) => id);
			const alone = claims.filter((id) => claims.indexOf(id) === claims.lastIndexOf(id));
			expect([...desiredOf(pools).keys()]).toEqual(alone.sort());
		}),
		{ numRuns: 250 },
	);
});
