import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Backend } from "../../../src/backends/backend.js";
import { createPools, type Pools } from "../../../src/backends/pools.js";
import { configSchema } from "../../../src/config/schema.js";
import { backendOf } from "./backend.js";

const rules = (prefer: string, zone?: string) => ({
	...configSchema.parse({ services: { web: { match: { port: 80 }, prefer, lastGrace: "0s" } } }),
	zone,
});
const here = (n: number): Backend => backendOf(`10.0.0.${n}`);
const there = (n: number, zone = ""): Backend => ({
	...backendOf(`10.0.1.${n}`, { netns: "host:b" }),
	host: "b",
	zone,
	local: false,
});
const join = (pools: Pools, ...backends: Backend[]) => {
	for (const backend of backends) pools.set(backend.endpoint, [{ backend }], "", 0);
	return pools.commit(0);
};
const serving = (pools: Pools) =>
	pools
		.desired()
		.flatMap(({ backends }) => backends)
		.filter(({ state, backup }) => state === "ready" && !backup)
		.map(({ id }) => id);

describe("a service that prefers some of its backends", () => {
	test("has others as a backup while one on this host is ready", () => {
		const pools = createPools(rules("local"));
		join(pools, here(1), there(1), there(2));
		expect(serving(pools)).toEqual(["10.0.0.1:80"]);
		pools.close(here(1).endpoint, 0);
		const { touched, removal } = pools.commit(0);
		expect(serving(pools)).toEqual(["10.0.1.1:80", "10.0.1.2:80"]);
		expect(touched.map(({ id }) => id).sort()).toEqual(["10.0.0.1:80", "10.0.1.1:80", "10.0.1.2:80"]);
		expect(removal).toBe(true);
	});

	test("serves from others at once when its own are told to stop, paused or held", () => {
		const pools = createPools(rules("local"));
		join(pools, here(1), there(1));
		const told = { signal: "SIGTERM", atNs: 1, atMs: 0 };
		pools.set(here(1).endpoint, [{ backend: here(1), told }], "", 0);
		pools.commit(0);
		expect(serving(pools)).toEqual(["10.0.1.1:80"]);
		pools.set(here(1).endpoint, [{ backend: here(1) }], "", 0);
		pools.commit(0);
		expect(serving(pools)).toEqual(["10.0.0.1:80"]);
		pools.hold({ service: "web", id: here(1).id, state: "down" });
		pools.commit(0);
		expect(serving(pools)).toEqual(["10.0.1.1:80"]);
	});

	test("counts this host into its zone, and nobody of an unknown one", () => {
		const pools = createPools(rules("zone", "west"));
		join(pools, there(1, "west"), there(2, "east"), there(3));
		expect(serving(pools)).toEqual(["10.0.1.1:80"]);
		join(pools, here(1));
		expect(serving(pools)).toEqual(["10.0.0.1:80", "10.0.1.1:80"]);
		pools.reconfigure(rules("zone", "east"));
		pools.commit(0);
		expect(serving(pools)).toEqual(["10.0.0.1:80", "10.0.1.2:80"]);
	});

	test("does not rely on one of weight 0", () => {
		const pools = createPools(rules("local"));
		join(pools, { ...here(1), weight: 0 }, there(1));
		expect(serving(pools)).toEqual(["10.0.0.1:80", "10.0.1.1:80"]);
	});

	test("says so of a backup", () => {
		const pools = createPools(rules("local"));
		join(pools, here(1), there(1));
		const reasons = pools.status(0).flatMap(({ backends }) => backends.map(({ reason, host }) => [reason, host]));
		expect(reasons).toEqual([
			["it listens", undefined],
			["it listens on host b, as a backup", "b"],
		]);
	});

	test("whatever comes and goes, a backup is one while somebody preferred is ready, and every change is told", () => {
		const op = fc.record({
			kind: fc.constantFrom("join", "stop", "close", "hold", "release"),
			n: fc.integer({ min: 1, max: 3 }),
			local: fc.boolean(),
			isEnd: fc.boolean(),
		});
		fc.assert(
			fc.property(fc.array(op, { maxLength: 60 }), (steps) => {
				const pools = createPools(rules("local"));
				const seen = new Map<string, Backend>();
				for (const { kind, n, local, isEnd } of steps) {
					const backend = local ? here(n) : there(n);
					const { endpoint, id } = backend;
					const told = { signal: "SIGTERM", atNs: 1, atMs: 0 };
					if (kind === "join") pools.set(endpoint, [{ backend }], "", 0);
					else if (kind === "stop") pools.set(endpoint, [{ backend, told }], "", 0);
					else if (kind === "close") pools.close(endpoint, 0);
					else if (kind === "hold") pools.hold({ service: "web", id, state: "down" });
					else pools.release({ service: "web", id });
					if (!isEnd) continue;
					for (const ref of pools.commit(0).touched) {
						const now = pools.backend(ref);
						if (now === undefined) seen.delete(ref.id);
						else seen.set(ref.id, now);
					}
					const all = pools.desired().flatMap(({ backends }) => backends);
					expect(all.map((one) => [one.id, one.state, one.backup])).toEqual(
						[...seen.values()].sort((a, b) => (a.id < b.id ? -1 : 1)).map((one) => [one.id, one.state, one.backup]),
					);
					const isPreferredReady = all.some((one) => one.local && one.state === "ready");
					for (const one of all) expect(one.backup).toBe(!one.local && isPreferredReady);
				}
			}),
		);
	});
});
