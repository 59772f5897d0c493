import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { byNamespace } from "../../../src/listeners/by-namespace.js";
import { netnsKey } from "../../../src/listeners/ids.js";

const things = fc.array(fc.record({ netns: fc.constantFrom("1", "2", "3").map(netnsKey), number: fc.nat() }));

describe("many endpoints", () => {
	test("are all there, those of one namespace in a row and in their order", () => {
		fc.assert(
			fc.property(things, (given) => {
				const sorted = byNamespace(given, ({ netns }) => netns);
				const runs = sorted.filter(({ netns }, index) => netns !== sorted[index - 1]?.netns);
				expect(runs.length).toBe(new Set(given.map(({ netns }) => netns)).size);
				for (const { netns } of runs) {
					const of = (all: typeof given) => all.filter((thing) => thing.netns === netns);
					expect(of(sorted)).toEqual(of(given));
				}
				expect(sorted.length).toBe(given.length);
			}),
		);
	});
});
