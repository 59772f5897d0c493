import fc from "fast-check";
import { expect, test } from "vitest";
import { objectProblem } from "../../../src/sensor/object-file.js";

/** An ELF header of a BPF object whose sections are said to begin at `shoff`. */
function headerOf(shoff: bigint, count = 3): Buffer {
	const bytes = Buffer.alloc(64);
	bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
	bytes.writeUInt16LE(247, 18);
	bytes.writeBigUInt64LE(shoff, 40);
	bytes.writeUInt16LE(64, 58);
	bytes.writeUInt16LE(count, 60);
	bytes.writeUInt16LE(1, 62);
	return bytes;
}

test.each([
	["nothing", Buffer.alloc(0), "it is empty"],
	["a text", Buffer.from("#!/bin/sh\n".repeat(10)), "it is no object file"],
	["the first bytes of one", headerOf(64n).subarray(0, 63), "it is no object file"],
	["a header alone", headerOf(64n), "it is cut short or damaged"],
	["sections at the end of the address space", headerOf(2n ** 64n - 1n), "it is cut short or damaged"],
	["no section at all", headerOf(64n, 0), "it is cut short or damaged"],
])("%s is no object of this build, and that is said", (_what, bytes, problem) => {
	expect(objectProblem(bytes)).toBe(problem);
});

test("an object of another machine is something else", () => {
	const bytes = headerOf(64n);
	bytes.writeUInt16LE(62, 18);
	expect(objectProblem(bytes)).toBe("it is an object file of something else");
});

test("whatever the bytes are, something is said and nothing is thrown", () => {
	fc.assert(
		fc.property(fc.uint8Array({ maxLength: 600 }), fc.boolean(), (random, isPlausible) => {
			const bytes = Buffer.from(random);
			if (isPlausible && bytes.length >= 64) headerOf(BigInt(bytes.length % 300)).copy(bytes);
			expect(objectProblem(bytes)).toEqual(expect.any(String));
		}),
		{ numRuns: 5000 },
	);
});
