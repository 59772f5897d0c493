import { stripVTControlCharacters } from "node:util";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cut, screenOf } from "../../../src/cli/screen.js";

const linesOf = (text: string) => stripVTControlCharacters(text).split("\r\n");

describe("a screen", () => {
	test("has as many lines as the terminal, the last one with the keys", () => {
		const { text, offset } = screenOf(["a", "b"], { columns: 40, rows: 5 }, 0);
		expect(linesOf(text)).toEqual(["a", "b", "", "", "q quits"]);
		expect(offset).toBe(0);
	});

	test("scrolls, and not beyond the end", () => {
		const lines = Array.from({ length: 10 }, (_, i) => `line ${i}`);
		expect(linesOf(screenOf(lines, { columns: 60, rows: 4 }, 2).text)).toEqual([
			"line 2",
			"line 3",
			"line 4",
			"q quits, j and k scroll (5 more lines)",
		]);
		expect(screenOf(lines, { columns: 60, rows: 4 }, 99).offset).toBe(7);
	});

	test("says in its last line why it stands still", () => {
		expect(linesOf(screenOf([], { columns: 60, rows: 2 }, 0, "no daemon answers").text)).toEqual([
			"",
			"no daemon answers",
		]);
	});

	test("is never wider than the terminal, colours aside, and a cut line ends its colour", () => {
		const part = fc.tuple(fc.constantFrom("\u001b[31m", "\u001b[0m", ""), fc.stringMatching(/^[a-z ]*$/));
		fc.assert(
			fc.property(fc.array(part), fc.integer({ min: 1, max: 30 }), (parts, columns) => {
				const line = parts.flat().join("");
				const shown = cut(line, columns);
				const plain = stripVTControlCharacters(line);
				if (plain.length <= columns) expect(shown).toBe(line);
				else {
					expect(stripVTControlCharacters(shown)).toBe(`${plain.slice(0, columns - 1)}…`);
					if (line.includes("\u001b")) expect(shown.endsWith("\u001b[0m")).toBe(true);
				}
			}),
		);
	});
});
