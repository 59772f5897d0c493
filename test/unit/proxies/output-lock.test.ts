import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { lockOutput, type OutputLock } from "../../../src/proxies/output-lock.js";

let folder: string;
let output: string;
let locks: OutputLock[];

beforeEach(async () => {
	folder = await mkdtemp(join(tmpdir(), "solistend-lock-"));
	output = join(folder, "p.cfg");
	locks = [];
});

afterEach(async () => {
	for (const lock of locks) await lock.close();
	await rm(folder, { recursive: true });
});

async function lock(path = output): Promise<OutputLock> {
	const taken = await lockOutput(path);
	locks.push(taken);
	return taken;
}

/** What a daemon that was killed leaves behind. */
async function leaveBehind(): Promise<void> {
	const script = `require("net").createServer().listen(${JSON.stringify(join(folder, ".p.cfg.lock"))}, () =>
		process.kill(process.pid, "SIGKILL"))`;
	await once(spawn(process.execPath, ["-e", script], { stdio: "ignore" }), "exit");
	expect(await readdir(folder)).toEqual([".p.cfg.lock"]);
}

describe("the lock of an output", () => {
	test("is taken once, by whatever path, and can be taken again when it was let go", async () => {
		await writeFile(output, "");
		await symlink(output, join(folder, "link.cfg"));
		const first = await lock();
		const refused = `another proxy of this configuration writes it (give each an output of its own)`;
		await expect(lock()).rejects.toThrow(`cannot use output ${output}: ${refused}`);
		await expect(lock(join(folder, "link.cfg"))).rejects.toThrow(refused);
		await lock(join(folder, "other.cfg"));
		await first.close();
		locks = locks.filter((other) => other !== first);
		await lock();
	});

	test("is a hidden file that goes with it", async () => {
		const taken = await lockOutput(output);
		expect(await readdir(folder)).toEqual([".p.cfg.lock"]);
		await taken.close();
		expect(await readdir(folder)).toEqual([]);
	});

	test("says who has it", async () => {
		const script = `require("net").createServer((c) => c.end(String(process.pid)))
			.listen(${JSON.stringify(join(folder, ".p.cfg.lock"))}, () => console.log("ready"))`;
		const other = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "ignore"] });
		await once(other.stdout, "data");
		await expect(lock()).rejects.toThrow(
			`cannot use output ${output}: another solistend (pid ${other.pid}) writes it (stop that one, or give this proxy an output of its own)`,
		);
		other.kill("SIGKILL");
		await once(other, "exit");
		await lock();
	});

	test("of a daemon that was killed is taken over", async () => {
		await leaveBehind();
		await lock();
		await expect(lock()).rejects.toThrow("another proxy");
		expect(await readdir(folder)).toEqual([".p.cfg.lock"]);
	});

	test("may have a long path and a long name", async () => {
		const deep = join(folder, "d".repeat(200));
		await mkdir(deep);
		const long = join(deep, "n".repeat(240));
		const taken = await lockOutput(long);
		await expect(lockOutput(long)).rejects.toThrow("another proxy");
		await taken.close();
		expect(await readdir(deep)).toEqual([]);
	});

	test("can't be had without a folder, which is another trouble", async () => {
		await expect(lockOutput(join(folder, "gone", "p.cfg"))).rejects.toMatchObject({ code: "ENOENT" });
	});
});
