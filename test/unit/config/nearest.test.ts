import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { nearest } from "../../../src/config/nearest.js";

const KEYS = ["name", "type", "mode", "template", "output", "check", "reload", "reloadInterval", "services", "options"];

describe("the nearest word", () => {
	test.each([
		["outptu", "output"],
		["ouput", "output"],
		["outputs", "output"],
		["OUTPUT", "output"],
		["reload_interval", "reloadInterval"],
		["reloadinterval", "reloadInterval"],
		["nmae", "name"],
		["service", "services"],
		["templates", "template"],
	])("for %s is %s", (word, meant) => {
		expect(nearest(word, KEYS)).toBe(meant);
	});

	test.each(["", "x", "frontend", "healthcheckpath", "a".repeat(1_000_000)])(
		"is none where nothing is near",
		(word) => {
			expect(nearest(word, KEYS)).toBeUndefined();
		},
	);

	test("is none among none", () => {
		expect(nearest("output", [])).toBeUndefined();
	});

	test("of a known word is the word itself, and of a word with two letters swapped too", () => {
		const swapped = fc.constantFrom(...KEYS).chain((key) =>
			fc.nat(key.length - 2).map((at) => ({
				key,
				typo: `${key.slice(0, at)}${key.charAt(at + 1)}${key.charAt(at)}${key.slice(at + 2)}`,
			})),
		);
		fc.assert(
			fc.property(swapped, ({ key, typo }) => {
				expect(nearest(key, KEYS)).toBe(key);
				expect(nearest(typo, KEYS)).toBe(key);
			}),
		);
	});
});
