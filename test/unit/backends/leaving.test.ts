import { describe, expect, test } from "vitest";
import type { Backend } from "../../../src/backends/backend.js";
import type { Claim } from "../../../src/backends/claims.js";
import { createPools, type Pools } from "../../../src/backends/pools.js";
import { configSchema } from "../../../src/config/schema.js";
import { backendOf } from "./backend.js";

const rulesOf = (change: object = {}, rest: object = {}) =>
	configSchema.parse({ services: { web: { match: { port: 80 }, ...change } }, ...rest });

const nth = (n: number) => backendOf(`10.0.0.${n}`);
const webOf = (count: number, rules = rulesOf()) => {
	const pools = createPools(rules);
	for (let n = 1; n <= count; n++) listen(pools, nth(n));
	return pools;
};

function step(pools: Pools, nowMs: number, act: () => void) {
	act();
	return pools.commit(nowMs);
}

const listen = (pools: Pools, backend: Backend, nowMs = 0) =>
	step(pools, nowMs, () => pools.set(backend.endpoint, [{ backend }], "", nowMs));
const close = (pools: Pools, backend: Backend, nowMs: number) =>
	step(pools, nowMs, () => pools.close(backend.endpoint, nowMs));
const stop = (pools: Pools, backend: Backend, nowMs: number) => {
	const claim: Claim = { backend, told: { signal: "SIGTERM", atNs: nowMs * 1e6, atMs: nowMs } };
	return step(pools, nowMs, () => pools.set(backend.endpoint, [claim], "", nowMs));
};
const expire = (pools: Pools, nowMs: number) => step(pools, nowMs, () => pools.expire(nowMs));
const vanish = (pools: Pools, backends: readonly Backend[], nowMs: number) =>
	step(pools, nowMs, () => {
		for (const { endpoint } of backends) pools.set(endpoint, [], "it has no address", nowMs);
	});

/** The last number of the address, and the state. */
const states = (pools: Pools) =>
	Object.fromEntries(
		pools.desired().flatMap(({ backends }) => backends.map(({ address, state }) => [address.slice(7), state] as const)),
	);
const reason = (pools: Pools, backend: Backend, nowMs: number) => pools.statusOf(backend, nowMs)?.reason;

describe("a backend that is told to stop", () => {
	test("drains, and goes when it closes", () => {
		const pools = webOf(2);
		expect(stop(pools, nth(1), 10)).toMatchObject({ touched: [{ service: "web", id: nth(1).id }], removal: true });
		expect(states(pools)).toEqual({ 1: "drain", 2: "ready" });
		expect(reason(pools, nth(1), 10)).toBe("told to stop by SIGTERM");
		close(pools, nth(1), 20);
		expect(states(pools)).toEqual({ 2: "ready" });
	});

	test("is ready again when it still listens after drainTimeout", () => {
		const pools = webOf(2, rulesOf({ drainTimeout: "30s" }));
		stop(pools, nth(1), 10);
		expect(pools.dueMs).toBe(30_010);
		expect(expire(pools, 30_009).touched).toEqual([]);
		expect(expire(pools, 30_010)).toMatchObject({ touched: [{ id: nth(1).id }], removal: false });
		expect(states(pools)).toEqual({ 1: "ready", 2: "ready" });
		expect(reason(pools, nth(1), 30_010)).toBe("told to stop by SIGTERM, and still listens 30 s later");
		expect(pools.dueMs).toBeUndefined();
	});

	test("is never drained as the last ready one, and stays for its grace when it closes", () => {
		const pools = webOf(1);
		stop(pools, nth(1), 10);
		expect(states(pools)).toEqual({ 1: "ready" });
		close(pools, nth(1), 20);
		expect(states(pools)).toEqual({ 1: "closing" });
		expect(reason(pools, nth(1), 1020)).toBe("closed as the last one, stays for 2 s");
	});

	test("takes new work again when the others go", () => {
		const pools = webOf(2);
		stop(pools, nth(1), 10);
		close(pools, nth(2), 20);
		expect(states(pools)).toEqual({ 1: "ready" });
	});

	test("drains only when all that lead to it are told", () => {
		const pools = webOf(2);
		const wildcard = backendOf("10.0.0.1", { bound: "0.0.0.0" });
		listen(pools, wildcard);
		stop(pools, nth(1), 10);
		expect(states(pools)).toEqual({ 1: "ready", 2: "ready" });
		stop(pools, wildcard, 20);
		expect(states(pools)).toEqual({ 1: "drain", 2: "ready" });
	});

	test("waits where too many would be out; those that were told first go first", () => {
		const pools = webOf(7);
		for (const [n, ms] of [
			[3, 10],
			[1, 20],
			[2, 30],
		] as const) {
			stop(pools, nth(n), ms);
		}
		// 30 % of 7
		expect(states(pools)).toMatchObject({ 1: "drain", 2: "ready", 3: "drain" });
		expect(reason(pools, nth(2), 30)).toBe("told to stop by SIGTERM, and stays: too many would be out");
		expect(close(pools, nth(3), 40).touched).toMatchObject([{ id: nth(3).id }]);
		listen(pools, nth(3), 50);
		expect(states(pools)).toMatchObject({ 1: "drain", 2: "drain", 3: "ready" });
	});

	test("drains alone while another is ready, whatever the share", () => {
		const pools = webOf(2, rulesOf({}, { guard: { maxEjected: "0%" } }));
		stop(pools, nth(1), 10);
		stop(pools, nth(2), 20);
		expect(states(pools)).toEqual({ 1: "drain", 2: "ready" });
	});

	test("goes on as before through other rules", () => {
		const pools = webOf(2);
		stop(pools, nth(1), 10);
		step(pools, 20, () => pools.reconfigure(rulesOf({ drainTimeout: "1s" })));
		expect(states(pools)).toEqual({ 1: "drain", 2: "ready" });
		expect(pools.dueMs).toBe(1010);
	});
});

describe("a person's word", () => {
	const hold = (pools: Pools, backend: Backend, state: "drain" | "down") =>
		step(pools, 10, () => pools.hold({ service: "web", id: backend.id, state }));

	test("wins over the last ready one, and is kept while the backend is gone", () => {
		const pools = webOf(1);
		hold(pools, nth(1), "down");
		expect(pools.backend(nth(1))).toMatchObject({ state: "down", held: true });
		expect(reason(pools, nth(1), 10)).toBe("a person took it out");
		close(pools, nth(1), 20);
		expect(states(pools)).toEqual({});
		listen(pools, nth(1), 30);
		expect(pools.backend(nth(1))).toMatchObject({ state: "down", held: true });
	});

	test("ends the grace of the last one", () => {
		const pools = webOf(1);
		close(pools, nth(1), 5);
		expect(hold(pools, nth(1), "drain")).toMatchObject({ touched: [{ id: nth(1).id }], removal: true });
		expect(states(pools)).toEqual({});
	});

	test("ends when it is released; what nobody held is no news", () => {
		const pools = webOf(1);
		expect(pools.release(nth(1))).toBe(false);
		hold(pools, nth(1), "drain");
		expect(pools.holds()).toEqual([{ service: "web", id: nth(1).id, state: "drain" }]);
		expect(step(pools, 20, () => expect(pools.release(nth(1))).toBe(true)).touched).toHaveLength(1);
		expect(states(pools)).toEqual({ 1: "ready" });
		expect(pools.holds()).toEqual([]);
	});

	test("leaves the others their judgement: the last one that nobody holds is not drained", () => {
		const pools = webOf(2);
		hold(pools, nth(1), "drain");
		stop(pools, nth(2), 20);
		expect(states(pools)).toEqual({ 1: "drain", 2: "ready" });
	});

	test("from an earlier run counts at once", () => {
		const pools = createPools(rulesOf(), [{ service: "web", id: nth(1).id, state: "down" }]);
		listen(pools, nth(1));
		expect(states(pools)).toEqual({ 1: "down" });
	});
});

describe("backends that would leave without a close", () => {
	test("wait where they are too many at once, and go when that is confirmed", () => {
		const pools = webOf(5);
		expect(vanish(pools, [nth(1), nth(2), nth(3)], 10)).toEqual({
			touched: [],
			removal: false,
			withheld: { local: true, remote: false },
		});
		expect(Object.keys(states(pools))).toHaveLength(5);
		expect(reason(pools, nth(1), 10)).toBe("waits for a resync to confirm: it has no address");
		step(pools, 20, () => pools.confirm(10));
		expect(Object.keys(states(pools))).toHaveLength(5);
		expect(step(pools, 20, () => pools.confirm(20))).toMatchObject({
			removal: true,
			withheld: { local: false, remote: false },
		});
		expect(states(pools)).toEqual({ 4: "ready", 5: "ready" });
	});

	test("go at once where they are few, or a small share", () => {
		const few = webOf(2);
		expect(vanish(few, [nth(1), nth(2)], 10).withheld.local).toBe(false);
		const share = webOf(6);
		expect(vanish(share, [nth(1), nth(2), nth(3)], 10).withheld.local).toBe(false);
		expect(Object.keys(states(share))).toHaveLength(3);
	});

	test("go at once when the kernel says that they closed", () => {
		const pools = webOf(4);
		expect(
			step(pools, 10, () => {
				for (const n of [1, 2, 3]) pools.close(nth(n).endpoint, 10);
			}).withheld.local,
		).toBe(false);
		expect(states(pools)).toEqual({ 4: "ready" });
	});

	test("go at once when they close while they wait", () => {
		const pools = webOf(4);
		vanish(pools, [nth(1), nth(2), nth(3)], 10);
		close(pools, nth(2), 20);
		expect(Object.keys(states(pools))).toEqual(["1", "3", "4"]);
	});

	test("stay when they are back before it is confirmed", () => {
		const pools = webOf(4);
		vanish(pools, [nth(1), nth(2), nth(3)], 10);
		expect(listen(pools, nth(1), 15).touched).toEqual([]);
		expect(pools.withheldBefore(20)).toEqual([nth(2).endpoint, nth(3).endpoint]);
		step(pools, 20, () => pools.confirm(20));
		expect(states(pools)).toEqual({ 1: "ready", 4: "ready" });
	});

	test("are not relied on while they wait: the last one that surely listens is not drained, and keeps its grace", () => {
		const pools = webOf(4);
		vanish(pools, [nth(1), nth(2), nth(3)], 10);
		stop(pools, nth(4), 20);
		expect(states(pools)).toMatchObject({ 4: "ready" });
		close(pools, nth(4), 30);
		expect(states(pools)).toEqual({ 1: "ready", 2: "ready", 3: "ready", 4: "closing" });
	});

	test("wait, too, when other rules take them out, and none of them then stays as the last one", () => {
		const pools = webOf(3);
		step(pools, 10, () => {
			pools.reconfigure(rulesOf({ match: { port: 81 } }));
			for (const n of [1, 2, 3]) pools.set(nth(n).endpoint, [], "web: port 80 is not in 81", 10);
		});
		expect(Object.keys(states(pools))).toHaveLength(3);
		step(pools, 20, () => pools.confirm(20));
		expect(states(pools)).toEqual({});
	});

	test("go with their service", () => {
		const pools = webOf(3);
		step(pools, 10, () => pools.reconfigure(configSchema.parse({})));
		expect(pools.desired()).toEqual([]);
		step(pools, 20, () => pools.reconfigure(rulesOf()));
		expect(states(pools)).toEqual({});
	});
});

describe("a backend that flaps", () => {
	const flapRules = rulesOf({}, { flap: { max: 2, window: "30s", hold: "10s" } });
	const flap = (pools: Pools, backend: Backend, fromMs: number) => {
		for (const ms of [fromMs, fromMs + 10]) {
			close(pools, backend, ms);
			listen(pools, backend, ms + 5);
		}
	};

	test("is held out from its next listen on, says so and until when, and comes back", () => {
		const pools = webOf(2, flapRules);
		flap(pools, nth(1), 100);
		expect(states(pools)).toEqual({ 2: "ready" });
		expect(pools.statusOf(nth(1), 2115)).toMatchObject({
			state: "out",
			reason: "held out for 8 s: closed 2 times in 30 s",
		});
		expect(expire(pools, 10_115).touched).toEqual([{ service: "web", id: nth(1).id }]);
		expect(states(pools)).toEqual({ 1: "ready", 2: "ready" });
	});

	test("counts as the same when another namespace has its address", () => {
		const pools = webOf(2, flapRules);
		close(pools, nth(1), 10);
		const next = backendOf("10.0.0.1", { netns: "next" });
		listen(pools, next, 20);
		close(pools, next, 30);
		listen(pools, nth(1), 40);
		expect(states(pools)).toEqual({ 2: "ready" });
	});

	test("is let in when nobody else is ready, and out again when somebody is", () => {
		const pools = webOf(2, flapRules);
		flap(pools, nth(1), 100);
		expect(close(pools, nth(2), 200)).toMatchObject({ removal: true });
		expect(states(pools)).toEqual({ 1: "ready" });
		expect(reason(pools, nth(1), 200)).toBe("closed 2 times in 30 s, and no other is ready");
		listen(pools, nth(2), 300);
		expect(states(pools)).toEqual({ 2: "ready" });
	});

	test("is not one that only vanished, or that is false in the configuration", () => {
		const pools = webOf(2, flapRules);
		for (const ms of [10, 20, 30]) {
			vanish(pools, [nth(1)], ms);
			listen(pools, nth(1), ms + 5);
		}
		expect(states(pools)).toEqual({ 1: "ready", 2: "ready" });
		const never = webOf(2, rulesOf({}, { flap: false }));
		for (let ms = 0; ms < 200; ms += 20) flap(never, nth(1), ms);
		expect(states(never)).toEqual({ 1: "ready", 2: "ready" });
	});

	test("is let in when the configuration switches it off", () => {
		const pools = webOf(2, flapRules);
		flap(pools, nth(1), 100);
		step(pools, 200, () => pools.reconfigure(rulesOf({}, { flap: false })));
		expect(states(pools)).toEqual({ 1: "ready", 2: "ready" });
	});

	test("stays held out through other rules", () => {
		const pools = webOf(2, flapRules);
		flap(pools, nth(1), 100);
		step(pools, 200, () => pools.reconfigure(flapRules));
		expect(states(pools)).toEqual({ 2: "ready" });
	});
});

test("the status shows all that listen, by service and id, with the time of their state", () => {
	const pools = webOf(2);
	stop(pools, nth(1), 10);
	expect(pools.status(20)).toEqual([
		{
			name: "web",
			backends: [
				{
					id: nth(1).id,
					state: "drain",
					held: false,
					reason: "told to stop by SIGTERM",
					sinceMs: 10,
					unfit: "stopping",
				},
				{ id: nth(2).id, state: "ready", held: false, reason: "it listens", sinceMs: 0 },
			],
		},
	]);
});
