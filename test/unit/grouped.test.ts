import { expect, test } from "vitest";
import { createGrouped } from "../../src/grouped.js";

test("values are found by their key until they are taken out, and the last one of a key is known as such", () => {
	const grouped = createGrouped<string, number>();
	grouped.add("a", 1);
	grouped.add("a", 2);
	grouped.add("a", 2);
	grouped.add("b", 3);
	expect([...grouped.of("a")]).toEqual([1, 2]);
	expect([grouped.delete("a", 1), grouped.delete("a", 7), grouped.delete("a", 2)]).toEqual([true, true, false]);
	expect([[...grouped.of("a")], [...grouped.of("b")]]).toEqual([[], [3]]);
	grouped.clear();
	expect([...grouped.of("b")]).toEqual([]);
});
