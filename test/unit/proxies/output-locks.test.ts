import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Driver, Outcome } from "../../../src/proxies/driver.js";
import { createOutputLocks, type OutputLocks } from "../../../src/proxies/output-locks.js";

const applied: Outcome = { kind: "applied", stagesMs: {} };

let folder: string;
let locks: OutputLocks;
/** Of another daemon. */
let others: OutputLocks;
let runs: number;

const driver: Driver = {
	read: async () => undefined,
	serversOf: () => [],
	serversIn: () => [],
	plan: () => ({ steps: [], reload: false, diff: { joined: [], left: [] } }),
	describe: () => "",
	run: async () => {
		runs += 1;
		return applied;
	},
	close: async () => {},
};

beforeEach(async () => {
	folder = await mkdtemp(join(tmpdir(), "solistend-locks-"));
	locks = createOutputLocks();
	others = createOutputLocks();
	runs = 0;
});

afterEach(async () => {
	await locks.close();
	await others.close();
	await rm(folder, { recursive: true });
});

const run = (output: string) => locks.guard(output, driver).run([], new AbortController().signal);

describe("the locks of all outputs", () => {
	test("are taken all or none", async () => {
		const [a, b] = [join(folder, "a"), join(folder, "b")];
		await others.take([b]);
		await expect(locks.take([a, b])).rejects.toThrow(`cannot use output ${b}`);
		await others.take([a]);
		await others.keep([a]);
		await locks.take([b]);
		expect((await readdir(folder)).sort()).toEqual([".a.lock", ".b.lock"]);
	});

	test("that are held already are kept when another can't be had", async () => {
		const [a, b] = [join(folder, "a"), join(folder, "b")];
		await locks.take([a]);
		await others.take([b]);
		await expect(locks.take([a, b])).rejects.toThrow(`cannot use output ${b}`);
		await expect(others.take([a])).rejects.toThrow(`cannot use output ${a}`);
	});

	test("that could not be had without a folder are taken before the first write that can work", async () => {
		const output = join(folder, "later", "a");
		await locks.take([output]);
		// The write itself tells what is in its way.
		expect(await run(output)).toBe(applied);
		await mkdir(join(folder, "later"));
		await others.take([output]);
		expect(await run(output)).toMatchObject({
			kind: "failed",
			error: { message: expect.stringContaining(`cannot use output ${output}`) },
			serving: "the previous configuration, which was not touched",
		});
		expect(runs).toBe(1);

		await others.close();
		expect(await run(output)).toBe(applied);
		await expect(others.take([output])).rejects.toThrow(`cannot use output ${output}`);
	});
});
