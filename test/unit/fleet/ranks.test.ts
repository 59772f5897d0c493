import fc from "fast-check";
import { expect, test } from "vitest";
import { backendId } from "../../../src/backends/backend.js";
import { createRanks } from "../../../src/fleet/ranks.js";

test("whatever comes and goes: the ids of a service are in order, and each has as many before it as are lower", () => {
	const id = fc.integer({ min: 1, max: 20 }).map((n) => backendId(`10.0.0.${n}`, 80));
	const step = fc.record({ service: fc.constantFrom("web", "api"), id, isIn: fc.boolean() });
	fc.assert(
		fc.property(fc.array(step), (steps) => {
			const ranks = createRanks();
			const model = new Map([
				["web", new Set<string>()],
				["api", new Set<string>()],
			]);
			for (const { service, id: one, isIn } of steps) {
				const known = model.get(service);
				if (known?.has(one) === isIn) continue;
				if (isIn) ranks.add(service, one);
				else ranks.delete(service, one);
				if (isIn) known?.add(one);
				else known?.delete(one);
			}
			for (const [service, ids] of model) {
				const sorted = [...ids].sort();
				expect(ranks.of(service)).toEqual(sorted);
				for (const one of ranks.of(service)) expect(ranks.rank(service, one)).toBe(sorted.indexOf(one));
			}
		}),
	);
});

test("what is not there is not taken out", () => {
	const ranks = createRanks();
	ranks.add("web", backendId("10.0.0.2", 80));
	ranks.delete("web", backendId("10.0.0.1", 80));
	ranks.delete("api", backendId("10.0.0.1", 80));
	expect(ranks.of("web")).toEqual(["10.0.0.2:80"]);
	expect(ranks.of("api")).toEqual([]);
});
