import { expect, test } from "vitest";
import { parseStatus, treeOf } from "../../../../src/cli/doctor/processes.js";

test("a process is known by what /proc says of it", () => {
	const text = "Name:\thaproxy\nUmask:\t0022\nPid:\t7\nPPid:\t3\nNStgid:\t7\t1\nNSpid:\t7\t1\n";
	expect(parseStatus(7, text)).toEqual({ pid: 7, name: "haproxy", parent: 3, numbers: [7, 1] });
});

test("one that is gone is none", () => {
	expect(parseStatus(7, "")).toBeUndefined();
});

test("a tree has every generation, in whatever order they are listed", () => {
	const process = (pid: number, parent: number) => ({ pid, parent, name: "", numbers: [pid] });
	const tree = treeOf(2, [process(9, 8), process(8, 5), process(5, 2), process(3, 1), process(2, 1)]);
	expect([...tree].sort((a, b) => a - b)).toEqual([2, 5, 8, 9]);
});
