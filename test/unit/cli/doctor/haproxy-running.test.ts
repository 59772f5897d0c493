import { expect, test } from "vitest";
import { runningOf } from "../../../../src/cli/doctor/haproxy-running.js";
import type { Process } from "../../../../src/cli/doctor/processes.js";

const CONTAINER = "0".repeat(64);

const process = (pid: number, parent: number, name = "haproxy", numbers = [pid]): Process => ({
	pid,
	name,
	parent,
	numbers,
});

const ALL = [
	process(1, 0, "systemd"),
	process(10, 1),
	process(11, 10),
	process(12, 10),
	process(13, 11, "sh"),
	process(20, 1),
	process(21, 20),
];
const nowhere = () => ({});

test("the HAProxy of a worker is its master with all that this started, and no other HAProxy", () => {
	expect(runningOf(12, ALL, () => ({ unit: "haproxy.service" }))).toEqual({
		state: "found",
		pid: 10,
		place: { unit: "haproxy.service" },
		tree: new Set([10, 11, 12, 13]),
	});
	expect(runningOf(20, ALL, nowhere)).toMatchObject({ pid: 20, tree: new Set([20, 21]) });
});

test("nothing is known of one that is not seen, or whose number is another program's", () => {
	expect(runningOf(99, ALL, nowhere)).toMatchObject({
		state: "unknown",
		why: expect.stringContaining("no such process"),
	});
	expect(runningOf(1, ALL, nowhere).state).toBe("unknown");
});

test("nothing is known of one in a container: its number is one of its own, and so are its files", () => {
	const inside = process(300, 1, "haproxy", [300, 12]);
	const unknown = { state: "unknown", why: expect.stringContaining("container") };
	expect(runningOf(12, [...ALL, inside], nowhere)).toMatchObject(unknown);
	expect(runningOf(12, [inside], nowhere)).toMatchObject(unknown);
	expect(runningOf(12, ALL, () => ({ container: CONTAINER }))).toMatchObject(unknown);
});
