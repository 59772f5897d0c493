import { describe, expect, test } from "vitest";
import type { Backend } from "../../../src/backends/backend.js";
import { type Gate, questionOf } from "../../../src/backends/gate.js";
import { createPools, type Pools } from "../../../src/backends/pools.js";
import { configSchema, readySchema } from "../../../src/config/schema.js";
import { backendOf } from "./backend.js";

const rules = configSchema.parse({
	services: { web: { match: { port: 80 }, lastGrace: "3s" } },
	flap: { max: 2, window: "30s", hold: "10s" },
	guard: { maxDrop: "50%", maxEjected: "50%" },
});

const WAITING: Gate = { state: "waiting", why: (nowMs) => `waits at ${nowMs}` };
const FAILED: Gate = { state: "failed", why: () => "did not answer" };

const shown = (pools: Pools) =>
	pools.desired().flatMap(({ backends }) => backends.map(({ id, state }) => `${id} ${state}`));

/** @param gate the one before it; none where it is let in */
function put(pools: Pools, backend: Backend, gate?: Gate, nowMs = 0) {
	pools.set(backend.endpoint, [{ backend, gate }], "it moved", nowMs);
	return pools.commit(nowMs);
}

function close(pools: Pools, { endpoint }: Backend, nowMs: number) {
	pools.close(endpoint, nowMs);
	return pools.commit(nowMs);
}

const [a, b, c] = [backendOf("10.0.0.1"), backendOf("10.0.0.2"), backendOf("10.0.0.3")];
/** Another socket's endpoint in the same namespace, which leads to the same backend. */
const a2 = backendOf("10.0.0.1", { bound: "0.0.0.0" });
const statusOf = (pools: Pools, { service, id }: Backend, nowMs = 0) => pools.statusOf({ service, id }, nowMs);

describe("a backend before which a gate is shut", () => {
	test("is not in the set, says why as of now, and joins in the step in which it opens", () => {
		const pools = createPools(rules);
		expect(put(pools, a, WAITING)).toMatchObject({ touched: [], removal: false });
		expect(shown(pools)).toEqual([]);
		expect(statusOf(pools, a, 7)).toMatchObject({ state: "out", held: false, reason: "waits at 7", sinceMs: 0 });
		expect(put(pools, a, FAILED, 5)).toMatchObject({ touched: [] });
		expect(statusOf(pools, a)).toMatchObject({ state: "out", reason: "did not answer", sinceMs: 0 });
		expect(put(pools, a, undefined, 9)).toMatchObject({ touched: [{ service: "web", id: a.id }], removal: false });
		expect(statusOf(pools, a)).toMatchObject({ state: "ready", reason: "it listens", sinceMs: 9 });
	});

	test("is in by a person's word alone, and out again when that is released", () => {
		const pools = createPools(rules);
		put(pools, a, WAITING);
		pools.hold({ service: "web", id: a.id, state: "drain" });
		pools.commit(0);
		expect(shown(pools)).toEqual([`${a.id} drain`]);
		expect(statusOf(pools, a)).toMatchObject({ held: true, reason: "a person drained it" });
		pools.release({ service: "web", id: a.id });
		expect(pools.commit(0)).toMatchObject({ removal: false });
		expect(shown(pools)).toEqual([]);
	});

	test("is in where another of its endpoints is let in, and only for as long", () => {
		const pools = createPools(rules);
		put(pools, a, WAITING);
		put(pools, a2);
		put(pools, b);
		expect(shown(pools)).toEqual([`${a.id} ready`, `${b.id} ready`]);
		expect(pools.backend(a)?.endpoint).toBe(a2.endpoint);
		expect(statusOf(pools, a)?.reason).toBe("it listens");
		expect(close(pools, a2, 5)).toMatchObject({ removal: true });
		expect(shown(pools)).toEqual([`${b.id} ready`]);
		expect(statusOf(pools, a)?.reason).toBe("waits at 0");
	});

	test("says of two gates the one that may still open", () => {
		const pools = createPools(rules);
		put(pools, a, FAILED);
		put(pools, a2, WAITING);
		expect(statusOf(pools, a)?.reason).toBe("waits at 0");
	});

	test("is told to stop by what the endpoint says that is let in", () => {
		const pools = createPools(rules);
		put(pools, b);
		put(pools, a, WAITING);
		const told = { signal: "SIGTERM", atNs: 0, atMs: 0 };
		pools.set(a2.endpoint, [{ backend: a2, told }], "", 0);
		pools.commit(0);
		expect(shown(pools)).toEqual([`${a.id} drain`, `${b.id} ready`]);
		expect(statusOf(pools, a)?.reason).toBe("told to stop by SIGTERM");
	});

	test("is nobody to rely on: the last one that closed stays, until the gate opens", () => {
		const pools = createPools(rules);
		put(pools, a);
		put(pools, b, WAITING);
		close(pools, a, 100);
		expect(shown(pools)).toEqual([`${a.id} closing`]);
		put(pools, b, undefined, 200);
		expect(shown(pools)).toEqual([`${b.id} ready`]);
	});

	test("does not stay for having been the last one: it listens again, and has yet to answer", () => {
		const pools = createPools(rules);
		put(pools, a);
		close(pools, a, 100);
		expect(shown(pools)).toEqual([`${a.id} closing`]);
		expect(put(pools, a, WAITING, 200)).toMatchObject({ removal: true });
		expect(shown(pools)).toEqual([]);
		expect(close(pools, a, 300)).toMatchObject({ touched: [] });
		expect(shown(pools)).toEqual([]);
	});

	test("is none of those of which a share may leave", () => {
		const pools = createPools(rules);
		for (const backend of [a, b, c]) put(pools, backend);
		for (let n = 4; n <= 12; n++) put(pools, backendOf(`10.0.0.${n}`), WAITING);
		for (const { endpoint } of [a, b, c]) pools.set(endpoint, [], "it vanished", 0);
		expect(pools.commit(0)).toMatchObject({ withheld: { local: true, remote: false } });
		const gone = createPools(rules);
		for (let n = 4; n <= 12; n++) put(gone, backendOf(`10.0.0.${n}`), WAITING);
		for (let n = 4; n <= 12; n++) gone.set(backendOf(`10.0.0.${n}`).endpoint, [], "it vanished", 0);
		expect(gone.commit(0)).toMatchObject({ withheld: { local: false, remote: false } });
		expect(gone.status(0)[0]?.backends).toEqual([]);
	});

	test("does not flap while it never was in", () => {
		const pools = createPools(rules);
		put(pools, b);
		for (let i = 0; i < 5; i++) {
			put(pools, a, WAITING, i);
			close(pools, a, i);
		}
		put(pools, a, undefined, 10);
		expect(shown(pools)).toEqual([`${a.id} ready`, `${b.id} ready`]);
	});

	test("that flapped before is held out from the moment on at which its gate opens", () => {
		const pools = createPools(rules);
		put(pools, b);
		for (let i = 0; i < 2; i++) {
			put(pools, a, undefined, 0);
			close(pools, a, 0);
		}
		put(pools, a, WAITING, 0);
		put(pools, a, undefined, 8000);
		expect(statusOf(pools, a, 8000)?.reason).toMatch(/^held out for 10 s/);
	});
});

test("whoever is let in, or is in a proxy from an earlier run, is known by its endpoint or by its name", () => {
	const pools = createPools(rules);
	put(pools, a);
	put(pools, b, WAITING);
	put(pools, backendOf("10.0.0.3", { netns: "adopted" }));
	const moved = { ...backendOf("10.0.0.9"), endpoint: a.endpoint };
	expect([a, moved, b, c, backendOf("10.0.0.4")].map(pools.isLetIn)).toEqual([true, true, false, true, false]);
});

test.each([
	["10.0.0.1", [], "10.0.0.1:80"],
	["fd00::1", [], "[fd00::1]:80"],
	["10.0.0.1", ["*.example.org", "www.example.org", "example.org"], "www.example.org"],
	["fd00::1", ["*.example.org"], "[fd00::1]:80"],
])("at %s, of the hosts %j, the one that is asked for is %s", (address, hosts, host) => {
	const ready = readySchema.parse({ http: "/" });
	expect(questionOf(backendOf(address), ready, hosts)).toEqual({ address, port: 80, host, ready });
});
