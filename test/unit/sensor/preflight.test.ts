import { describe, expect, test } from "vitest";
import { checkCapabilities, checkKernel, checkLockedMemory } from "../../../src/sensor/preflight.js";

const status = (mask: string) =>
	`Name:\tnode\nCapInh:\t0000000000000000\nCapEff:\t${mask}\nCapBnd:\t000001ffffffffff\n`;

describe("a kernel", () => {
	test.each(["5.10.0-28-cloud-amd64", "5.15.0-91-generic", "6.1.0-13-amd64", "6.18.44", "10.0"])(
		"%s is new enough",
		(version) => {
			expect(checkKernel(version)).toBeUndefined();
		},
	);

	test.each(["4.19.0-26-amd64", "5.4.0", "5.9.16"])("%s is too old, and that is said", (version) => {
		expect(checkKernel(version)).toMatchObject({ code: "unsupported" });
		expect(checkKernel(version)?.message).toContain(`kernel ${version} is too old`);
		expect(checkKernel(version)?.message).toContain("5.10 or newer");
	});
});

describe("capabilities", () => {
	test.each([
		["root's", "000001ffffffffff"],
		["CAP_SYS_ADMIN", "0000000000200000"],
		["CAP_BPF and CAP_PERFMON", "000000c000000000"],
	])("%s are enough", (_what, mask) => {
		expect(checkCapabilities(status(mask))).toBeUndefined();
	});

	test.each([
		["none", "0000000000000000", "missing CAP_BPF and CAP_PERFMON "],
		["CAP_BPF alone", "0000008000000000", "missing CAP_PERFMON "],
		["CAP_PERFMON alone", "0000004000000000", "missing CAP_BPF "],
	])("%s are not, and the missing ones are named with the mend", (_what, mask, message) => {
		expect(checkCapabilities(status(mask))).toMatchObject({ code: "privilege" });
		expect(checkCapabilities(status(mask))?.message).toContain(message);
		expect(checkCapabilities(status(mask))?.message).toContain("AmbientCapabilities=CAP_BPF CAP_PERFMON");
	});
});

describe("locked memory", () => {
	const limits = (hard: string) =>
		`Limit  Soft Limit  Hard Limit  Units\nMax locked memory         65536                ${hard}                bytes\n`;
	const plain = status("000000c000000000");

	test("is no matter for a kernel that does not count maps to it", () => {
		expect(checkLockedMemory("5.11.0", { status: plain, limits: limits("65536") })).toBeUndefined();
	});

	test.each([
		["of which the hard limit is none", plain, "unlimited"],
		["of which the hard limit is large", plain, "67108864"],
		["that CAP_SYS_RESOURCE may raise", status("0000000001000000"), "65536"],
	])("%s is enough", (_what, state, hard) => {
		expect(checkLockedMemory("5.10.0", { status: state, limits: limits(hard) })).toBeUndefined();
	});

	test("that is too little is named, with what to do", () => {
		const problem = checkLockedMemory("5.10.0-28", { status: plain, limits: limits("65536") });
		expect(problem).toMatchObject({ code: "privilege" });
		expect(problem?.message).toContain("limited to 64 KiB");
		expect(problem?.message).toContain("LimitMEMLOCK=infinity");
	});
});
