import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { tooDeepAt } from "../../../src/config/nesting.js";

describe("nesting", () => {
	test.each(["[", "{a: ", "- ", "? ", "[{b: ", "- - ? "])(
		"of %j without end is noticed, wherever it begins",
		(opening) => {
			expect(tooDeepAt(opening.repeat(100_000))).toBeLessThan(1000);
			expect(tooDeepAt(`services:\n  web: # [[[[\n    match: ${opening.repeat(100_000)}`)).toBeLessThan(1000);
		},
	);

	test("by indentation, a key a line, is noticed", () => {
		const lines = Array.from({ length: 200 }, (_, level) => `${" ".repeat(level)}key:`);
		expect(tooDeepAt(lines.join("\n"))).toBeDefined();
	});

	test("is not seen in what is quoted, a comment or a block of text", () => {
		const brackets = "[{".repeat(500);
		expect(tooDeepAt(`a: "${brackets}"\nb: '${brackets}'\n# ${brackets}\nc: |\n  ${brackets}\nd: e`)).toBeUndefined();
	});

	test("does not add up over the lines of a long file", () => {
		const lines = Array.from(
			{ length: 5000 },
			(_, at) => `s${at}:\n  match: {port: [${at}, {a: b}]}\n  hosts:\n  - x\n  -  - y`,
		);
		expect(tooDeepAt(lines.join("\n"))).toBeUndefined();
	});

	test("of any value as deep as a configuration is let through", () => {
		fc.assert(
			fc.property(fc.jsonValue({ maxDepth: 8 }), fc.constantFrom("block" as const, "flow" as const), (value, style) => {
				expect(tooDeepAt(stringify(value, { collectionStyle: style }))).toBeUndefined();
			}),
		);
	});
});
