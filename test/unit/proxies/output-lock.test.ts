import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type FileLock, lockOutput } from "../../../src/proxies/output-lock.js";

let folder: string;
let output: string;
let locks: FileLock[];
let others: ChildProcess[];

beforeEach(async () => {
	folder = await mkdtemp(join(tmpdir(), "solistend-lock-"));
	output = join(folder, "p.cfg");
	locks = [];
	others = [];
});

afterEach(async () => {
	for (const lock of locks) await lock.close();
	for (const other of others) other.kill("SIGKILL");
	await rm(folder, { recursive: true });
});

async function lock(path = output): Promise<FileLock> {
	const taken = await lockOutput(path);
	locks.push(taken);
	return taken;
}

/** A process that has the lock until it is killed. */
async function otherOwner(): Promise<ChildProcess> {
	const module = JSON.stringify(new URL("../../../src/proxies/output-lock.ts", import.meta.url).href);
	const script = `const { lockOutput } = await import(${module});
		await lockOutput(${JSON.stringify(output)});
		console.log("ready");
		setInterval(() => {}, 1000);`;
	const other = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", script], {
		stdio: ["ignore", "pipe", "inherit"],
	});
	others.push(other);
	await once(other.stdout, "data");
	return other;
}

/** What a daemon that was killed leaves behind. */
async function leaveBehind(): Promise<void> {
	await killed(await otherOwner());
	expect(await readdir(folder)).toEqual([".p.cfg.lock"]);
}

async function killed(other: ChildProcess): Promise<void> {
	const exited = once(other, "exit");
	other.kill("SIGKILL");
	await exited;
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
		const other = await otherOwner();
		await expect(lock()).rejects.toThrow(
			`cannot use output ${output}: another solistend (pid ${other.pid}) writes it (stop that one, or give this proxy an output of its own)`,
		);
		await killed(other);
		await lock();
	});

	test("of a daemon that was killed is taken over", async () => {
		await leaveBehind();
		await lock();
		await expect(lock()).rejects.toThrow("another proxy");
		expect(await readdir(folder)).toEqual([".p.cfg.lock"]);
	});

	test("that was left behind is taken over by one only, however many want it", async () => {
		await leaveBehind();
		const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => lock()));
		expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
		await expect(lock()).rejects.toThrow("another proxy");
	});

	test("is never had by two, while many take it and let it go", async () => {
		let owners = 0;
		let taken = 0;
		const takeAndLetGo = async () => {
			while (taken < 20) {
				const own = await lockOutput(output).catch((error: unknown) => {
					expect(String(error)).toContain("cannot use output");
					return undefined;
				});
				if (own === undefined) continue;
				taken += 1;
				owners += 1;
				expect(owners).toBe(1);
				await readdir(folder);
				owners -= 1;
				await own.close();
			}
		};
		await Promise.all(Array.from({ length: 4 }, takeAndLetGo));
		expect(await readdir(folder)).toEqual([]);
	});

	test("is not taken through a link", async () => {
		await writeFile(join(folder, "precious"), "kept");
		await symlink(join(folder, "precious"), join(folder, ".p.cfg.lock"));
		await expect(lock()).rejects.toMatchObject({ code: "ELOOP" });
		expect(await readFile(join(folder, "precious"), "utf8")).toBe("kept");
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
