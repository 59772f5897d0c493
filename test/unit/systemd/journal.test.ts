import { closeSync, fstatSync, openSync } from "node:fs";
import { expect, test } from "vitest";
import { isJournal, priorityPrefix } from "../../../src/systemd/journal.js";

test("a descriptor leads to the journal when it is the one that systemd connected", () => {
	const fd = openSync("/dev/null", "w");
	try {
		const { dev, ino } = fstatSync(fd);
		expect(isJournal(fd, `${dev}:${ino}`)).toBe(true);
		expect(isJournal(fd, `${dev}:${ino + 1}`)).toBe(false);
		expect(isJournal(fd, undefined)).toBe(false);
	} finally {
		closeSync(fd);
	}
	expect(isJournal(fd, "1:1")).toBe(false);
});

test("each level of the log has its priority", () => {
	expect([60, 50, 40, 30, 20, 10].map(priorityPrefix)).toEqual(["<2>", "<3>", "<4>", "<6>", "<7>", "<7>"]);
});
