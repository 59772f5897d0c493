import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseDocument } from "yaml";
import { linesOf, offsetOf } from "../../../src/config/places.js";

const TEXT = `# first
services:
  web:
    match: {port: [80, 443]}
    hosts:
      - a.example
      - b.example
  "two words": &two
    match:
  third: *two
proxies:
- name: edge
  type:
    haproxy
- [x, {y: z}]
`;

function place(path: readonly PropertyKey[], on: "key" | "value" = "value"): string {
	const { line, column } = linesOf(TEXT)(offsetOf(parseDocument(TEXT), TEXT, path, on));
	return `${line}:${column}`;
}

describe("the place", () => {
	test("of a value is where the value begins", () => {
		expect(place(["services", "web", "match", "port"])).toBe("4:19");
		expect(place(["services", "web", "match", "port", 1])).toBe("4:24");
		expect(place(["services", "web", "hosts", 1])).toBe("7:9");
		expect(place(["proxies", 0, "name"])).toBe("12:9");
		expect(place(["proxies", 1, 1, "y"])).toBe("15:11");
	});

	test("of a key is where the key begins", () => {
		expect(place(["services", "web", "match", "port"], "key")).toBe("4:13");
		expect(place(["services", "two words"], "key")).toBe("8:3");
		expect(place(["proxies"], "key")).toBe("11:1");
	});

	test("of a value that begins below its key is the key", () => {
		expect(place(["services", "web"])).toBe("3:3");
		expect(place(["proxies", 0, "type"])).toBe("13:3");
	});

	test("of an empty value is right behind its key", () => {
		expect(place(["services", "two words", "match"])).toBe("9:11");
	});

	test("of an item of a list is the item, also for its key", () => {
		expect(place(["proxies", 0])).toBe("12:3");
		expect(place(["proxies", 0], "key")).toBe("12:3");
	});

	test("of an alias is the alias, and of what is in it the place where that is written", () => {
		expect(place(["services", "third"])).toBe("10:10");
		expect(place(["services", "third", "match"], "key")).toBe("9:5");
	});

	test("of what is not there is the nearest thing around it", () => {
		expect(place(["services", "web", "mode"])).toBe("3:3");
		expect(place(["services", "web", "match", "comm", 3, "x"])).toBe("4:12");
		expect(place(["proxies", 7])).toBe("11:1");
		expect(place(["proxies", 1, 1, "w"])).toBe("15:7");
		expect(place(["log", "level"])).toBe("2:1");
		expect(place([])).toBe("2:1");
	});

	test("of a key that is there twice is the last one, whose value counts", () => {
		const text = "a: 1\na: 2\n";
		expect(offsetOf(parseDocument(text, { uniqueKeys: false }), text, ["a"], "value")).toBe(8);
	});
});

describe("line and column", () => {
	test("count from 1, and a line ends with its line feed", () => {
		const at = linesOf("ab\nc\r\n\nd");
		expect([0, 2, 3, 4, 6, 7, 8].map((offset) => Object.values(at(offset)).join(":"))).toEqual([
			"1:1",
			"1:3",
			"2:1",
			"2:2",
			"3:1",
			"4:1",
			"4:2",
		]);
	});

	test("lead back to the offset, and lie inside the text for any offset", () => {
		fc.assert(
			fc.property(fc.stringMatching(/^[ab\n\r]{0,40}$/), fc.integer({ min: -5, max: 60 }), (text, offset) => {
				const { line, column } = linesOf(text)(offset);
				const lines = text.split("\n");
				const above = lines.slice(0, line - 1).reduce((sum, each) => sum + each.length + 1, 0);
				expect(above + column - 1).toBe(Math.min(Math.max(offset, 0), text.length));
				expect(column - 1).toBeLessThanOrEqual((lines[line - 1] ?? "").length);
			}),
		);
	});
});
