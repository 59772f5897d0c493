/** A BPF object that is not this build's: one clear error with its mend, and nothing is loaded. */

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { messageOf } from "../../src/errors.js";
import { openKernel, PACKAGED_OBJECT } from "../../src/sensor/kernel.js";
import { objectProblem } from "../../src/sensor/object-file.js";
import { LOSSES_SIZE, RECORD_SIZE, RECORD_VERSION, ROW_SIZE } from "../../src/sensor/record.js";
import { requirePrivileges, skipPrivileged } from "../host/privileges.js";
import { tempFolder } from "../host/temp-folder.js";

requirePrivileges();

const MEND = "(install solistend anew, or build it: npm run build:bpf)";
const packaged = () => readFile(PACKAGED_OBJECT);

/** Replaces all of these bytes by as many others. */
function replace(bytes: Buffer, what: Buffer, by: Buffer): Buffer {
	const other = Buffer.from(bytes);
	let count = 0;
	for (let at = other.indexOf(what); at >= 0; at = other.indexOf(what, at + 1)) {
		by.copy(other, at);
		count++;
	}
	expect(count).toBeGreaterThan(0);
	return other;
}

const numbers = (...all: number[]) => Buffer.from(new Uint32Array(all).buffer);
const BUILD = [RECORD_SIZE, ROW_SIZE, LOSSES_SIZE] as const;

test("the packaged object is this build's", async () => {
	expect(objectProblem(await packaged())).toBeUndefined();
});

test("every object that ends early is found to be cut short", async () => {
	const bytes = await packaged();
	for (let length = 64; length < bytes.length; length += 97) {
		expect(objectProblem(bytes.subarray(0, length))).toBe("it is cut short or damaged");
	}
	expect(objectProblem(bytes.subarray(0, -1))).toBe("it is cut short or damaged");
});

test.skipIf(skipPrivileged).each<[string, (bytes: Buffer) => Buffer, string]>([
	["that is empty", () => Buffer.alloc(0), "it is empty"],
	["that is cut short", (bytes) => bytes.subarray(0, 5000), "it is cut short or damaged"],
	[
		"without a program",
		(bytes) => replace(bytes, Buffer.from("watch_state\0"), Buffer.from("watch_other\0")),
		"it is of another build: watch_state is missing",
	],
	[
		"without a map",
		(bytes) => replace(bytes, Buffer.from("stop_signals\0"), Buffer.from("step_signals\0")),
		"it is of another build: stop_signals is missing",
	],
	[
		"of another version",
		(bytes) => replace(bytes, numbers(RECORD_VERSION, ...BUILD), numbers(RECORD_VERSION + 1, ...BUILD)),
		"it is of another build: its records are not those of this version",
	],
	[
		"with longer rows",
		(bytes) =>
			replace(
				bytes,
				numbers(RECORD_VERSION, ...BUILD),
				numbers(RECORD_VERSION, RECORD_SIZE, ROW_SIZE + 8, LOSSES_SIZE),
			),
		"it is of another build: its records are not those of this version",
	],
])("an object %s is refused, with the mend", async (_what, change, problem) => {
	await using folder = await tempFolder();
	const path = join(folder.path, "other.o");
	await writeFile(path, change(await packaged()));
	const open = () => {
		try {
			openKernel(path).close();
			return "opened";
		} catch (error) {
			return messageOf(error);
		}
	};
	expect(open()).toBe(`cannot use the BPF object ${path}: ${problem} ${MEND}`);
});
