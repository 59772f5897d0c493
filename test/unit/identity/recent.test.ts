import { describe, expect, test } from "vitest";
import { createRecent } from "../../../src/identity/recent.js";

describe("a map of what was used last", () => {
	test("forgets what was not used for longest", () => {
		const recent = createRecent<string, number>(2);
		recent.set("a", 1);
		recent.set("b", 2);
		expect(recent.get("a")).toBe(1);
		recent.set("c", 3);
		expect([recent.get("a"), recent.get("b"), recent.get("c")]).toEqual([1, undefined, 3]);
	});

	test("keeps the rest when an entry is set again", () => {
		const recent = createRecent<string, number>(2);
		recent.set("a", 1);
		recent.set("b", 2);
		recent.set("a", 3);
		recent.set("c", 4);
		expect([recent.get("a"), recent.get("b"), recent.get("c")]).toEqual([3, undefined, 4]);
	});
});

test("who made room is told of, with what it had", () => {
	const gone: [string, number][] = [];
	const recent = createRecent<string, number>(1, (key, value) => gone.push([key, value]));
	recent.set("a", 1);
	recent.set("a", 2);
	recent.set("b", 3);
	expect(gone).toEqual([["a", 2]]);
});
