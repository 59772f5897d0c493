import { describe, expect, test } from "vitest";
import { countApplied, countFailed, NO_COUNTS } from "../../../src/proxies/counts.js";

const total = ({ counts }: { readonly counts: readonly number[] }) => counts.reduce((sum, count) => sum + count, 0);

const apply = (joined: readonly string[], left: readonly string[], sinceKernelMs: number | undefined) =>
	countApplied(NO_COUNTS, { joined, left }, { reload: false, stagesMs: { settle: 2, runtime: 1 }, sinceKernelMs }, 0);

describe("the counts of a proxy", () => {
	test("have how long a listen and a close took, each where there was one", () => {
		const joined = apply(["web/s1"], [], 4);
		expect([joined.listenTimes, joined.closeTimes, joined.settleTimes].map(total)).toEqual([1, 0, 1]);
		expect(joined.listenTimes.sum).toBeCloseTo(0.004);
		const left = apply([], ["web/s1"], 4);
		expect([left.listenTimes, left.closeTimes, left.settleTimes].map(total)).toEqual([0, 1, 1]);
	});

	test("have no time where no event of the kernel's caused the change, nor for a file that only follows", () => {
		expect(total(apply(["web/s1"], [], undefined).listenTimes)).toBe(0);
		const followed = apply([], [], 4);
		expect([followed.listenTimes, followed.closeTimes, followed.settleTimes].map(total)).toEqual([0, 0, 0]);
	});

	test("tell failed reloads from other failures", () => {
		expect(countFailed(countFailed(NO_COUNTS, true), false)).toMatchObject({ failed: 2, failedReloads: 1 });
	});
});
