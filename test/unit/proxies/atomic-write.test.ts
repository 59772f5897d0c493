import { chmod, lstat, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { confirm, outputFiles, readOutput, reject, restore, stage, swap } from "../../../src/proxies/atomic-write.js";

let folder: string;
let output: string;

beforeEach(async () => {
	folder = await mkdtemp(join(tmpdir(), "solistend-write-"));
	output = join(folder, "haproxy.cfg");
});

afterEach(() => rm(folder, { recursive: true }));

const write = async (text: string) => {
	const files = await outputFiles(output);
	await stage(files, text);
	await swap(files, { unconfirmed: true });
	return files;
};

describe("a file is replaced", () => {
	test("by way of a candidate that no include pattern matches", async () => {
		await writeFile(output, "old");
		const files = await outputFiles(output);
		await stage(files, "new");
		expect(await readFile(output, "utf8")).toBe("old");
		expect((await readdir(folder)).filter((name) => !name.startsWith("."))).toEqual(["haproxy.cfg"]);
		expect(await readFile(join(folder, ".haproxy.cfg.candidate"), "utf8")).toBe("new");
		await swap(files, { unconfirmed: false });
		expect(await readFile(output, "utf8")).toBe("new");
		expect(await readdir(folder)).toEqual(["haproxy.cfg"]);
	});

	test("with its mode, and a new one is readable for the proxy", async () => {
		await write("a");
		expect((await stat(output)).mode & 0o777).toBe(0o644);
		await chmod(output, 0o600);
		await write("b");
		expect((await stat(output)).mode & 0o777).toBe(0o600);
	});

	test("where a link points to, and the link stays", async () => {
		const target = join(folder, "real.cfg");
		await writeFile(target, "old");
		await symlink(target, output);
		await write("new");
		expect((await lstat(output)).isSymbolicLink()).toBe(true);
		expect(await readFile(target, "utf8")).toBe("new");
	});

	test("never through a link that lies in the candidate's place", async () => {
		const victim = join(folder, "victim");
		await writeFile(victim, "untouched");
		await symlink(victim, join(folder, ".haproxy.cfg.candidate"));
		await write("new");
		expect(await readFile(victim, "utf8")).toBe("untouched");
		expect(await readFile(output, "utf8")).toBe("new");
	});
});

describe("until the proxy has read it", () => {
	test("a file counts as unconfirmed", async () => {
		await writeFile(output, "old");
		const files = await write("new");
		expect(await readOutput(files)).toEqual({ text: "new", confirmed: false });
		await confirm(files);
		expect(await readOutput(files)).toEqual({ text: "new", confirmed: true });
		expect(await readdir(folder)).toEqual(["haproxy.cfg"]);
	});

	test("the previous one can be restored", async () => {
		await writeFile(output, "old");
		const files = await write("new");
		await chmod(files.previous, 0o600);
		expect(await restore(files)).toBe(true);
		expect(await readOutput(files)).toEqual({ text: "old", confirmed: false });
		expect((await stat(output)).mode & 0o777).toBe(0o600);
		expect(await restore(files)).toBe(true);
		await confirm(files);
		expect(await readOutput(files)).toEqual({ text: "old", confirmed: true });
		expect(await readdir(folder)).toEqual(["haproxy.cfg"]);
		expect(await restore(files)).toBe(false);
	});

	test("the last confirmed one is the previous one, however many came after it", async () => {
		await writeFile(output, "good");
		await write("one");
		const files = await write("two");
		expect(await restore(files)).toBe(true);
		expect(await readFile(output, "utf8")).toBe("good");
	});

	test("a first file stays, as there is nothing to restore", async () => {
		const files = await write("first");
		expect(await restore(files)).toBe(false);
		expect(await readOutput(files)).toEqual({ text: "first", confirmed: false });
	});
});

test("no file is no text", async () => {
	expect(await readOutput(await outputFiles(output))).toEqual({ confirmed: true });
});

test("a candidate that failed is kept beside", async () => {
	const files = await outputFiles(output);
	await stage(files, "bad");
	await reject(files);
	expect(await readFile(join(folder, ".haproxy.cfg.rejected"), "utf8")).toBe("bad");
});

describe("an error names the place and the mend", () => {
	test("when the folder does not exist", async () => {
		const files = await outputFiles(join(folder, "none/haproxy.cfg"));
		await expect(stage(files, "")).rejects.toThrow(
			`cannot write ${folder}/none/haproxy.cfg: the folder ${folder}/none does not exist (create it, or change output)`,
		);
	});

	test("when the output is a folder", async () => {
		await mkdir(output);
		const files = await outputFiles(output);
		await expect(stage(files, "")).rejects.toThrow(`${output}: it is a folder (name a file in it as output)`);
		await expect(readOutput(files)).rejects.toThrow(`cannot read ${output}: it is a folder`);
	});

	test("when the folder is a file", async () => {
		await writeFile(join(folder, "file"), "");
		const files = await outputFiles(join(folder, "file/haproxy.cfg"));
		await expect(stage(files, "")).rejects.toThrow(`${folder}/file is not a folder (change output)`);
		await expect(readOutput(files)).rejects.toThrow(`${folder}/file is not a folder`);
	});

	test("when the kernel lets nobody write there", async () => {
		// sysfs refuses new files to root, too.
		const files = await outputFiles("/sys/kernel/haproxy.cfg");
		await expect(stage(files, "")).rejects.toThrow(
			/cannot write \/sys\/kernel\/haproxy\.cfg: (permission denied \(let the user|the file system of \/sys\/kernel is read-only)/,
		);
	});
});
