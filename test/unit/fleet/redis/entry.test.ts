import { expect, test } from "vitest";
import { readEntry } from "../../../../src/fleet/redis/entry.js";

const fields = (rest: Readonly<Record<string, string>> = {}) =>
	Object.entries({ h: "h1", i: "17", s: "4", t: "1700000000000", k: "delta", p: "{}", ...rest }).flat();

test("an entry is read by its fields, in whatever order", () => {
	const entry = {
		host: "h1",
		version: { incarnation: 17, sequence: 4 },
		atMs: 1_700_000_000_000,
		kind: "delta",
		payload: "{}",
	};
	expect(readEntry(fields())).toEqual({ ok: true, value: entry });
	expect(readEntry(["p", "{}", "k", "delta", "t", "1700000000000", "s", "4", "i", "17", "h", "h1"])).toEqual({
		ok: true,
		value: entry,
	});
});

test("what is of a later version, or too long, is left for a read of the host", () => {
	expect(readEntry(fields({ k: "toString" }))).toMatchObject({ ok: true, value: { kind: "unknown" } });
	expect(readEntry(fields({ p: "x".repeat(1e7) }))).toMatchObject({ ok: true, value: { payload: "" } });
	expect(readEntry(fields({ t: "soon" }))).toMatchObject({ ok: true, value: { atMs: undefined } });
});

test.each([
	["no fields", []],
	["a value without a name", ["h1"]],
	["a name that no host may have", fields({ h: "evil\nname" })],
	["a host's name that is too long", fields({ h: "x".repeat(64) })],
	["an incarnation that is no number", fields({ i: "1e9" })],
	["a sequence below zero", fields({ s: "-1" })],
	["a sequence that JavaScript can't count", fields({ s: "9".repeat(16) })],
])("%s is no entry", (_, raw) => {
	expect(readEntry(raw)).toMatchObject({ ok: false });
});
