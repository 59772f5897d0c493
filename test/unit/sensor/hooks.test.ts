import { describe, expect, test } from "vitest";
import { choose, HOOKS, OPTIONAL_PROGRAMS, type Refusal } from "../../../src/sensor/hooks.js";

/** Refuses the programs that are named. */
const refusing = (refused: Record<string, Refusal>) => {
	const asked: string[] = [];
	return {
		asked,
		attempt(program: string) {
			asked.push(program);
			return refused[program];
		},
	};
};
const lack: Refusal = { isLack: true, why: "no such place" };
const refusal: Refusal = { isLack: false, why: "invalid access" };

describe("a hook", () => {
	test("is had by the first way that works, and no other is tried", () => {
		const { asked, attempt } = refusing({});
		expect(choose(HOOKS.relisten, attempt)).toEqual({ state: "available", by: "fexit/inet_listen" });
		expect(asked).toEqual(["watch_relisten"]);
	});

	test("is had by the next way where one of the first one's programs is refused", () => {
		const { attempt } = refusing({ watch_relisten: refusal });
		expect(choose(HOOKS.relisten, attempt)).toEqual({ state: "available", by: "kprobe/inet_listen" });
	});

	test("is not supported where the kernel lacks every way", () => {
		expect(choose(HOOKS.relisten, () => lack)).toEqual({
			state: "not supported",
			why: "fexit/inet_listen: no such place; kprobe/inet_listen: no such place",
		});
	});

	test("that has one way only says no more than why", () => {
		expect(choose(HOOKS.stopping, () => lack)).toEqual({ state: "not supported", why: "no such place" });
	});

	test("has failed where the kernel has a way and refused it", () => {
		const { attempt } = refusing({ watch_relisten: lack, leave_listen: refusal });
		expect(choose(HOOKS.relisten, attempt)).toEqual({
			state: "failed",
			why: "fexit/inet_listen: no such place; kprobe/inet_listen: invalid access",
		});
	});
});

test("no program belongs to two hooks", () => {
	expect(new Set(OPTIONAL_PROGRAMS).size).toBe(OPTIONAL_PROGRAMS.length);
});
