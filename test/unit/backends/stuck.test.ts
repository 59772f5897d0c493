import { describe, expect, test } from "vitest";
import type { Backend } from "../../../src/backends/backend.js";
import { createPools, type Pools } from "../../../src/backends/pools.js";
import { type Stuck, stuckOf } from "../../../src/backends/stuck.js";
import { configSchema } from "../../../src/config/schema.js";
import { endpointKey } from "../../../src/listeners/ids.js";
import type { Endpoint } from "../../../src/listeners/table.js";
import { listenerOf } from "../listeners/listener.js";
import { backendOf } from "./backend.js";

const rules = (rest: object = {}) => configSchema.parse({ services: { web: { match: { port: 80 } } }, ...rest });
const nth = (n: number) => backendOf(`10.0.0.${n}`);
const paused = (atMs: number, by: "freezer" | "signal" = "signal"): Stuck => {
	return { kind: "paused", by, pid: 7, atNs: atMs * 1e6, atMs };
};
const hung = (atMs: number): Stuck => ({ kind: "hung", pid: 7, queued: 6, backlog: 5, atMs });

function put(pools: Pools, backend: Backend, nowMs: number, stuck?: Stuck, told?: number) {
	const stop = told === undefined ? undefined : { signal: "SIGTERM", atNs: told * 1e6, atMs: told };
	pools.set(backend.endpoint, [{ backend, stuck, told: stop }], "", nowMs);
	return pools.commit(nowMs);
}

function webOf(count: number, rest: object = {}) {
	const pools = createPools(rules(rest));
	for (let n = 1; n <= count; n++) put(pools, nth(n), 0);
	return pools;
}

const states = (pools: Pools) =>
	Object.fromEntries(
		pools.desired().flatMap(({ backends }) => backends.map(({ address, state }) => [address.slice(7), state] as const)),
	);
const statusOf = (pools: Pools, n: number, nowMs: number) => pools.statusOf(nth(n), nowMs);

describe("a backend that can't serve", () => {
	test("is down at once, by nobody's word, and ready again when it can", () => {
		const pools = webOf(2);
		expect(put(pools, nth(1), 10, paused(10))).toMatchObject({ touched: [{ id: nth(1).id }], removal: true });
		expect(states(pools)).toEqual({ 1: "down", 2: "ready" });
		expect(statusOf(pools, 1, 10)).toMatchObject({ state: "down", held: false });
		expect(put(pools, nth(1), 20)).toMatchObject({ touched: [{ id: nth(1).id }], removal: false });
		expect(states(pools)).toEqual({ 1: "ready", 2: "ready" });
	});

	test("says since when, by what, and what would mend it", () => {
		const pools = webOf(2);
		put(pools, nth(1), 10, paused(10));
		expect(statusOf(pools, 1, 900)?.reason).toBe(
			"paused: it was stopped by a signal, such as SIGSTOP; back when it goes on (kill -CONT 7)",
		);
		put(pools, nth(1), 20, paused(10, "freezer"));
		expect(statusOf(pools, 1, 5900)?.reason).toBe(
			"paused for 5 s: its cgroup is frozen; back when that ends (docker unpause, or 0 into cgroup.freeze)",
		);
		put(pools, nth(1), 30, hung(10));
		expect(statusOf(pools, 1, 3010)?.reason).toBe(
			"hung for 3 s: it accepts none (6 connections wait, backlog 5); back when it does (see what pid 7 waits for, or restart it)",
		);
	});

	test("stays as the only one, and says that it does", () => {
		const pools = webOf(1);
		expect(put(pools, nth(1), 10, hung(10)).touched).toEqual([]);
		expect(states(pools)).toEqual({ 1: "ready" });
		expect(statusOf(pools, 1, 10)?.reason).toMatch(/^hung: .*; it stays: no other is ready$/);
	});

	test("is out alone where two of three are and the share is a third, the first one; both where it is two thirds", () => {
		const pools = webOf(3, { guard: { maxEjected: "34%" } });
		put(pools, nth(2), 10, paused(10));
		put(pools, nth(1), 20, paused(20));
		expect(states(pools)).toEqual({ 1: "ready", 2: "down", 3: "ready" });
		expect(statusOf(pools, 1, 20)?.reason).toMatch(/^paused: .*; it stays: too many would be out$/);
		pools.reconfigure(rules({ guard: { maxEjected: "67%" } }));
		pools.commit(30);
		expect(states(pools)).toEqual({ 1: "down", 2: "down", 3: "ready" });
	});

	test("takes the place of one that was told to stop and still answers", () => {
		const pools = webOf(3);
		put(pools, nth(1), 10, undefined, 10);
		expect(states(pools)).toMatchObject({ 1: "drain" });
		put(pools, nth(2), 20, paused(20));
		expect(states(pools)).toEqual({ 1: "ready", 2: "down", 3: "ready" });
	});

	test("keeps a person's word, and is judged when that is taken back", () => {
		const pools = webOf(2);
		pools.hold({ service: "web", id: nth(1).id, state: "drain" });
		put(pools, nth(1), 10, paused(10));
		expect(states(pools)).toEqual({ 1: "drain", 2: "ready" });
		pools.release({ service: "web", id: nth(1).id });
		pools.commit(20);
		expect(states(pools)).toEqual({ 1: "down", 2: "ready" });
	});

	test("can serve where one of all that lead to it can", () => {
		const pools = webOf(2);
		put(pools, backendOf("10.0.0.1", { bound: "0.0.0.0" }), 0);
		put(pools, nth(1), 10, paused(10));
		expect(states(pools)).toEqual({ 1: "ready", 2: "ready" });
	});

	test("is the same when its time was converted anew: nothing is told twice", () => {
		const pools = webOf(2);
		put(pools, nth(1), 10, paused(10));
		expect(put(pools, nth(1), 20, { ...paused(10), atMs: 10.01 }).touched).toEqual([]);
	});

	test("does not stay for its grace before another that can: it closes, and is gone", () => {
		const pools = webOf(2);
		put(pools, nth(1), 10, paused(10));
		pools.close(nth(1).endpoint, 20);
		pools.commit(20);
		expect(states(pools)).toEqual({ 2: "ready" });
	});
});

describe("what speaks against an endpoint", () => {
	const endpointOf = (change: Partial<Endpoint>): Endpoint => {
		const [a, b] = [listenerOf(1, 10), listenerOf(2, 20)];
		return {
			key: endpointKey(a.netns, a.address, 80),
			netns: a.netns,
			address: a.address,
			port: 80,
			sockets: [a, b],
			...change,
		};
	};
	const toMs = (atNs: number) => atNs / 1e6;

	test("is nothing, as a rule; a pause comes before the full queue that it leads to", () => {
		const queue = { queued: 300, sinceMs: 4 };
		expect(stuckOf(endpointOf({}), toMs)).toBeUndefined();
		expect(stuckOf(endpointOf({ hung: queue }), toMs)).toEqual({
			kind: "hung",
			pid: 4711,
			queued: 300,
			backlog: 256,
			atMs: 4,
		});
		expect(stuckOf(endpointOf({ hung: queue, paused: { by: "freezer", sinceNs: 5e6 } }), toMs)).toEqual({
			kind: "paused",
			by: "freezer",
			pid: 4711,
			atNs: 5e6,
			atMs: 5,
		});
	});
});
