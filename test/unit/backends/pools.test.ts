import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Backend, backendId } from "../../../src/backends/backend.js";
import { createPools, type Pools } from "../../../src/backends/pools.js";
import { configSchema } from "../../../src/config/schema.js";
import { type EndpointKey, endpointKey, netnsKey } from "../../../src/listeners/ids.js";

const GRACE_MS = 3000;
const { services } = configSchema.parse({
	services: { web: { match: { port: 80 }, lastGrace: "3s" }, api: { match: { port: 81 }, lastGrace: "0s" } },
});

function backendOf(address: string, { service = "web", netns = address, bound = address } = {}): Backend {
	const key = netnsKey(netns);
	return {
		id: backendId(address, 80),
		service,
		address,
		port: 80,
		weight: 100,
		state: "ready",
		held: false,
		endpoint: endpointKey(key, bound, 80),
		netns: key,
		identity: { comm: "nginx", hostname: "web", netnsInode: 1 },
	};
}

/** `service/id` and the state of all backends. */
const shown = (pools: Pools) =>
	pools.desired().flatMap(({ name, backends }) => backends.map(({ id, state }) => `${name}/${id} ${state}`));

const put = (pools: Pools, backend: Backend, nowMs = 0) => pools.set(backend.endpoint, [backend], nowMs);

describe("pools", () => {
	test("keep every service, also an empty one, sorted by name", () => {
		expect(createPools(services).desired()).toMatchObject([
			{ name: "api", backends: [] },
			{ name: "web", backends: [] },
		]);
	});

	test("take a backend in, and say that nothing changed when it comes again", () => {
		const pools = createPools(services);
		expect(put(pools, backendOf("10.0.0.1"))).toEqual({ changed: true, removal: false });
		expect(put(pools, backendOf("10.0.0.1"))).toEqual({ changed: false, removal: false });
		expect(shown(pools)).toEqual(["web/10.0.0.1:80 ready"]);
	});

	test("let go of one beside others at once", () => {
		const pools = createPools(services);
		const [a, b] = [backendOf("10.0.0.1"), backendOf("10.0.0.2")];
		put(pools, a);
		put(pools, b);
		expect(pools.close(a.endpoint, 10)).toEqual({ changed: true, removal: true });
		expect(shown(pools)).toEqual(["web/10.0.0.2:80 ready"]);
		expect(pools.nextExpiryMs).toBeUndefined();
	});

	test("keep the last one for its grace, then let it go", () => {
		const pools = createPools(services);
		const a = backendOf("10.0.0.1");
		put(pools, a);
		pools.close(a.endpoint, 10);
		expect(shown(pools)).toEqual(["web/10.0.0.1:80 closing"]);
		expect(pools.nextExpiryMs).toBe(10 + GRACE_MS);
		expect(pools.expire(9 + GRACE_MS).changed).toBe(false);
		expect(pools.expire(10 + GRACE_MS)).toEqual({ changed: true, removal: true });
		expect(shown(pools)).toEqual([]);
	});

	test("let the last one go as soon as another serves", () => {
		const pools = createPools(services);
		const a = backendOf("10.0.0.1");
		put(pools, a);
		pools.close(a.endpoint, 10);
		put(pools, backendOf("10.0.0.2"), 20);
		expect(shown(pools)).toEqual(["web/10.0.0.2:80 ready"]);
	});

	test("let the last one go at once where the grace is zero", () => {
		const pools = createPools(services);
		const a = backendOf("10.0.0.1", { service: "api" });
		put(pools, a);
		pools.close(a.endpoint, 10);
		expect(shown(pools)).toEqual([]);
	});

	test("have one backend for two endpoints of a namespace that lead to one address", () => {
		const pools = createPools(services);
		const [all, one] = [backendOf("10.0.0.1", { bound: "0.0.0.0" }), backendOf("10.0.0.1")];
		put(pools, all);
		put(pools, one);
		expect(shown(pools)).toEqual(["web/10.0.0.1:80 ready"]);
		pools.close(all.endpoint, 10);
		expect(shown(pools)).toEqual(["web/10.0.0.1:80 ready"]);
	});

	test("take neither of two namespaces that claim one address, until one of them goes", () => {
		const pools = createPools(services);
		const [a, b] = [backendOf("10.0.0.1", { netns: "7" }), backendOf("10.0.0.1", { netns: "8" })];
		put(pools, a);
		put(pools, b);
		expect(shown(pools)).toEqual([]);
		expect(pools.isContested(a)).toBe(true);
		pools.close(b.endpoint, 10);
		expect(shown(pools)).toEqual(["web/10.0.0.1:80 ready"]);
		expect(pools.isContested(a)).toBe(false);
	});

	test("follow an endpoint to another address or service", () => {
		const pools = createPools(services);
		const a = backendOf("10.0.0.1", { bound: "0.0.0.0", netns: "7" });
		put(pools, a);
		const moved = backendOf("10.0.0.9", { bound: "0.0.0.0", netns: "7", service: "api" });
		expect(pools.set(a.endpoint, [moved], 10)).toEqual({ changed: true, removal: true });
		expect(shown(pools)).toContain("api/10.0.0.9:80 ready");
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
			const pools = createPools(services);
			const open = new Map<EndpointKey, Backend>();
			let nowMs = 0;
			for (const { op, address, netns } of story) {
				const backend = backendOf(`10.0.0.${address}`, { netns: String(netns) });
				if (op === "set") {
					put(pools, backend, nowMs);
					open.set(backend.endpoint, backend);
				} else if (op === "close") {
					const hadReady = shown(pools).some((line) => line.endsWith("ready"));
					pools.close(backend.endpoint, nowMs);
					open.delete(backend.endpoint);
					if (hadReady) expect(shown(pools)).not.toEqual([]);
				} else {
					nowMs += 1000;
					pools.expire(nowMs);
				}
			}
			const claims = [...open.values()].map(({ id }) => id);
			const expected = claims
				.filter((id) => claims.indexOf(id) === claims.lastIndexOf(id))
				.map((id) => `web/${id} ready`);
			expected.sort();
			expect(shown(pools).filter((line) => line.endsWith("ready"))).toEqual(expected);
			pools.expire(nowMs + GRACE_MS);
			expect(shown(pools)).toEqual(expected);
		}),
		{ numRuns: 1000 },
	);
});
