import fc from "fast-check";
import { expect, test } from "vitest";
import { createLowest } from "../../src/lowest.js";

test("is told when it moves, with the port that was it, or that is it again", () => {
	const lowest = createLowest();
	lowest.add("a", 9000);
	expect([lowest.of("a"), lowest.changed()]).toEqual([9000, []]);
	lowest.add("a", 8080);
	lowest.add("b", 1);
	expect([lowest.of("a"), lowest.changed()]).toEqual([8080, [{ container: "a", ports: [9000] }]]);
	lowest.delete("a", 8080);
	expect([lowest.of("a"), lowest.changed()]).toEqual([9000, [{ container: "a", ports: [9000] }]]);
	lowest.delete("a", 9000);
	expect([lowest.of("a"), lowest.changed()]).toEqual([undefined, []]);
});

test("is the least of those that were added and not deleted as often, whatever happened", () => {
	const port = fc.integer({ min: 1, max: 5 });
	fc.assert(
		fc.property(fc.array(fc.tuple(fc.boolean(), port)), (steps) => {
			const lowest = createLowest();
			const there: number[] = [];
			for (const [isAdded, one] of steps) {
				if (isAdded) {
					there.push(one);
					lowest.add("a", one);
				} else {
					const at = there.indexOf(one);
					if (at !== -1) there.splice(at, 1);
					lowest.delete("a", one);
				}
				expect(lowest.of("a")).toBe(there.length === 0 ? undefined : Math.min(...there));
			}
		}),
	);
});
