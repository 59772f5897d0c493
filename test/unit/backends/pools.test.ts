import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Backend } from "../../../src/backends/backend.js";
import { createPools, type Pools } from "../../../src/backends/pools.js";
import { configSchema } from "../../../src/config/schema.js";
import type { EndpointKey } from "../../../src/listeners/ids.js";
import { backendOf } from "./backend.js";

const GRACE_MS = 3000;
const rules = configSchema.parse({
	services: { web: { match: { port: 80 }, lastGrace: "3s" }, api: { match: { port: 81 }, lastGrace: "0s" } },
});

/** `service/id` and the state of all backends. */
const shown = (pools: Pools) =>
	pools.desired().flatMap(({ name, backends }) => backends.map(({ id, state }) => `${name}/${id} ${state}`));

function put(pools: Pools, backend: Backend, nowMs = 0) {
	pools.set(backend.endpoint, [{ backend }], "it moved", nowMs);
	return pools.commit(nowMs);
}

function close(pools: Pools, { endpoint }: Backend, nowMs: number) {
	pools.close(endpoint, nowMs);
	return pools.commit(nowMs);
}

function expire(pools: Pools, nowMs: number) {
	pools.expire(nowMs);
	return pools.commit(nowMs);
}

describe("pools", () => {
	test("keep every service, also an empty one, sorted by name", () => {
		expect(createPools(rules).desired()).toMatchObject([
			{ name: "api", backends: [] },
			{ name: "web", backends: [] },
		]);
	});

	test("take a backend in, and say that nothing changed when it comes again", () => {
		const pools = createPools(rules);
		expect(put(pools, backendOf("10.0.0.1"))).toMatchObject({
			touched: [{ service: "web", id: "10.0.0.1:80" }],
			removal: false,
		});
		expect(put(pools, backendOf("10.0.0.1"))).toMatchObject({ touched: [], removal: false });
		expect(shown(pools)).toEqual(["web/10.0.0.1:80 ready"]);
	});

	test("let go of one beside others at once", () => {
		const pools = createPools(rules);
		const [a, b] = [backendOf("10.0.0.1"), backendOf("10.0.0.2")];
		put(pools, a);
		put(pools, b);
		expect(close(pools, a, 10)).toMatchObject({ removal: true });
		expect(shown(pools)).toEqual(["web/10.0.0.2:80 ready"]);
		expect(pools.dueMs).toBeUndefined();
	});

	test("keep the last one for its grace, then let it go", () => {
		const pools = createPools(rules);
		const a = backendOf("10.0.0.1");
		put(pools, a);
		close(pools, a, 10);
		expect(shown(pools)).toEqual(["web/10.0.0.1:80 closing"]);
		expect(pools.dueMs).toBe(10 + GRACE_MS);
		expect(expire(pools, 9 + GRACE_MS).touched).toEqual([]);
		expect(expire(pools, 10 + GRACE_MS)).toMatchObject({ removal: true });
		expect(shown(pools)).toEqual([]);
	});

	test("let the last one go as soon as another serves", () => {
		const pools = createPools(rules);
		const a = backendOf("10.0.0.1");
		put(pools, a);
		close(pools, a, 10);
		put(pools, backendOf("10.0.0.2"), 20);
		expect(shown(pools)).toEqual(["web/10.0.0.2:80 ready"]);
	});

	test("let the last one go at once where the grace is zero", () => {
		const pools = createPools(rules);
		const a = backendOf("10.0.0.1", { service: "api" });
		put(pools, a);
		close(pools, a, 10);
		expect(shown(pools)).toEqual([]);
	});

	test("have one backend for two endpoints of a namespace that lead to one address", () => {
		const pools = createPools(rules);
		const [all, one] = [backendOf("10.0.0.1", { bound: "0.0.0.0" }), backendOf("10.0.0.1")];
		put(pools, all);
		put(pools, one);
		expect(shown(pools)).toEqual(["web/10.0.0.1:80 ready"]);
		close(pools, all, 10);
		expect(shown(pools)).toEqual(["web/10.0.0.1:80 ready"]);
	});

	test("take neither of two namespaces that claim one address, until one of them goes", () => {
		const pools = createPools(rules);
		const [a, b] = [backendOf("10.0.0.1", { netns: "7" }), backendOf("10.0.0.1", { netns: "8" })];
		put(pools, a);
		put(pools, b);
		expect(shown(pools)).toEqual([]);
		expect(pools.statusOf(a, 5)?.reason).toBe("another network namespace claims 10.0.0.1:80, too");
		close(pools, b, 10);
		expect(shown(pools)).toEqual(["web/10.0.0.1:80 ready"]);
		expect(pools.statusOf(a, 10)?.reason).toBe("it listens");
	});

	test("follow an endpoint to another address or service", () => {
		const pools = createPools(rules);
		const a = backendOf("10.0.0.1", { bound: "0.0.0.0", netns: "7" });
		put(pools, a);
		const moved = backendOf("10.0.0.9", { bound: "0.0.0.0", netns: "7", service: "api" });
		pools.set(a.endpoint, [{ backend: moved }], "it moved", 10);
		expect(pools.commit(10)).toMatchObject({ touched: [{ service: "web" }, { service: "api" }] });
		expect(shown(pools)).toEqual(["api/10.0.0.9:80 ready", "web/10.0.0.1:80 closing"]);
	});
});

const step = fc.record({
	op: fc.constantFrom("set", "close", "wait"),
	address: fc.integer({ min: 1, max: 3 }),
	netns: fc.integer({ min: 1, max: 2 }),
});

test("after any story, the ready ones are those that are open and claimed by one namespace, and nobody outstays the grace", () => {
	fc.assert(
		fc.property(fc.array(step, { maxLength: 40 }), (story) => {
			const pools = createPools(rules);
			const open = new Map<EndpointKey, Backend>();
			let nowMs = 0;
			for (const { op, address, netns } of story) {
				const backend = backendOf(`10.0.0.${address}`, { netns: String(netns) });
				if (op === "set") {
					put(pools, backend, nowMs);
					open.set(backend.endpoint, backend);
				} else if (op === "close") {
					const hadReady = shown(pools).some((line) => line.endsWith("ready"));
					close(pools, backend, nowMs);
					open.delete(backend.endpoint);
					if (hadReady) expect(shown(pools)).not.toEqual([]);
				} else {
					nowMs += 1000;
					expire(pools, nowMs);
				}
			}
			const claims = [...open.values()].map(({ id }) => id);
			const expected = claims
				.filter((id) => claims.indexOf(id) === claims.lastIndexOf(id))
				.map((id) => `web/${id} ready`);
			expected.sort();
			expect(shown(pools).filter((line) => line.endsWith("ready"))).toEqual(expected);
			expire(pools, nowMs + GRACE_MS);
			expect(shown(pools)).toEqual(expected);
		}),
		{ numRuns: 1000 },
	);
});
