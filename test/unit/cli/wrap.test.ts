import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { wrappedLines, wrappedTable, wrapText } from "../../../src/cli/wrap.js";

describe("a text that is too long for the terminal", () => {
	test("is broken between words", () => {
		expect(wrapText("it has no global address yet", 12)).toEqual(["it has no", "global", "address yet"]);
		expect(wrapText("/a/path/that/is/too/long for it", 12)).toEqual(["/a/path/that/is/too/long", "for it"]);
		expect(wrapText("", 12)).toEqual([""]);
	});

	test("loses nothing, and has no line that could be shorter", () => {
		const words = fc.array(fc.stringMatching(/^[a-z]{1,9}$/), { minLength: 1, maxLength: 20 });
		fc.assert(
			fc.property(words, fc.integer({ min: 5, max: 40 }), (all, width) => {
				const lines = wrapText(all.join(" "), width);
				expect(lines.join(" ")).toBe(all.join(" "));
				for (const line of lines) expect(line.length <= width || !line.includes(" ")).toBe(true);
			}),
		);
	});

	test("goes on under where it began, in a table and alone", () => {
		const rows = [
			["address", "its namespace has no global address yet"],
			["rule", "no"],
		];
		expect(wrappedTable(["STEP", "WHAT"], rows, { indent: 2, width: 36 })).toEqual([
			"  STEP     WHAT",
			"  address  its namespace has no",
			"           global address yet",
			"  rule     no",
		]);
		expect(wrappedTable(["STEP", "WHAT"], rows, { width: undefined })[1]).toBe(
			"address  its namespace has no global address yet",
		);
		expect(wrappedLines("waits for its address and for more", { indent: 2, width: 26 })).toEqual([
			"  waits for its address",
			"  and for more",
		]);
	});
});
