import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatDuration, parseDuration } from "../../src/duration.js";

describe("a duration", () => {
	test.each([
		["0s", 0],
		["250ms", 250],
		["2s", 2000],
		["1.5s", 1500],
		["0.25s", 250],
		["5m", 300_000],
		["1h", 3_600_000],
		["0.4ms", 0],
		["0.6ms", 1],
		["007s", 7000],
		[" 2s ", 2000],
	])("%j is %i milliseconds", (text, ms) => {
		expect(parseDuration(text)).toBe(ms);
	});

	test.each(["", "2", "s", "2 s", "-2s", "+2s", "2S", "2d", ".5s", "2.s", "1e3s", "2s2s", "1:30", "∞s", "2s\n3s"])(
		"%j is none",
		(text) => {
			expect(parseDuration(text)).toBeUndefined();
		},
	);

	test("in any unit is read back as it was written", () => {
		const units = [
			["ms", 1],
			["s", 1000],
			["m", 60_000],
			["h", 3_600_000],
		] as const;
		fc.assert(
			fc.property(fc.nat(1_000_000), fc.constantFrom(...units), (count, [unit, ms]) => {
				expect(parseDuration(`${count}${unit}`)).toBe(count * ms);
			}),
		);
	});

	test("of whole milliseconds keeps them when it is written in seconds", () => {
		fc.assert(
			fc.property(fc.nat(86_400_000), (ms) => {
				expect(parseDuration(`${(ms / 1000).toFixed(3)}s`)).toBe(ms);
			}),
		);
	});

	test("is a whole number of milliseconds, not below 0, or none, whatever the text", () => {
		fc.assert(
			fc.property(fc.oneof(fc.string(), fc.stringMatching(/^\d{1,9}(\.\d{1,9})?(ms|s|m|h)$/)), (text) => {
				const ms = parseDuration(text);
				expect(ms === undefined || (Number.isInteger(ms) && ms >= 0)).toBe(true);
			}),
		);
	});
});

test.each([
	[0, "0 ms"],
	[0.2, "1 ms"],
	[250, "250 ms"],
	[3000, "3 s"],
	[1540, "1.5 s"],
	[90_000, "1.5 min"],
	[3_600_000, "60 min"],
])("%d milliseconds are shown as %j", (ms, text) => {
	expect(formatDuration(ms)).toBe(text);
});
