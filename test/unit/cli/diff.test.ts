import { describe, expect, test } from "vitest";
import { diffLines } from "../../../src/cli/diff.js";

const lines = (...all: readonly string[]) => `${all.join("\n")}\n`;

describe("the diff of a live file", () => {
	test("is empty where nothing differs", async () => {
		expect(await diffLines("/a.cfg", "x\n", "x\n")).toEqual([]);
		expect(await diffLines("/a.cfg", "", "")).toEqual([]);
	});

	test("has the changed lines with their neighbours", async () => {
		const live = lines("1", "2", "3", "4", "old", "6", "7", "8", "9");
		const next = lines("1", "2", "3", "4", "new", "6", "7", "8", "9");
		expect(await diffLines("/a.cfg", live, next)).toEqual([
			"--- /a.cfg",
			"+++ /a.cfg",
			"@@ -2,7 +2,7 @@",
			" 2",
			" 3",
			" 4",
			"-old",
			"+new",
			" 6",
			" 7",
			" 8",
		]);
	});

	test("begins with /dev/null where there is no file", async () => {
		expect(await diffLines("/a.cfg", undefined, "x\n")).toEqual([
			"--- /dev/null",
			"+++ /a.cfg",
			"@@ -0,0 +1,1 @@",
			"+x",
		]);
	});

	test("says where a file lacks the newline at its end", async () => {
		expect(await diffLines("/a.cfg", "x", "x\n")).toContain("\\ No newline at end of file");
	});
});
