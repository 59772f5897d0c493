import { execFileSync } from "node:child_process";
import { link, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { SolistendError } from "../../../../src/errors.js";
import {
	leaveRequest,
	leaveResult,
	outcomeOf,
	readResult,
	resultOf,
	takeRequest,
} from "../../../../src/proxies/apply/request.js";

let folder: string;
let file: string;
beforeEach(async () => {
	folder = await mkdtemp(join(tmpdir(), "solistend-request-"));
	file = join(folder, "edge", "candidate.json");
	await mkdir(join(folder, "edge"));
});
afterEach(() => rm(folder, { recursive: true }));

const WHAT = { text: "backend web\n", reload: true, unconfirmed: false };

describe("a request", () => {
	test("is taken as it was left, by nobody but its owner", async () => {
		const id = await leaveRequest(folder, "edge", WHAT);
		expect((await takeRequest(folder, "edge")).request).toEqual({ id, ...WHAT });
		expect((await stat(file)).mode & 0o777).toBe(0o600);
		expect(await readdir(join(folder, "edge"))).toEqual(["candidate.json"]);
	});

	test("is another one each time", async () => {
		const { text, ...rest } = WHAT;
		expect(await leaveRequest(folder, "edge", WHAT)).not.toBe(await leaveRequest(folder, "edge", rest));
		expect((await takeRequest(folder, "edge")).request.text).toBeUndefined();
	});

	test("is not taken where there is none", async () => {
		await expect(takeRequest(folder, "edge")).rejects.toThrow("ENOENT");
	});

	test("is not taken through a link, from a pipe, or under two names", async () => {
		await writeFile(join(folder, "secret"), '{"password": 1}');
		await symlink(join(folder, "secret"), file);
		await expect(takeRequest(folder, "edge")).rejects.toThrow("ELOOP");
		await rm(file);
		execFileSync("mkfifo", [file]);
		await expect(takeRequest(folder, "edge")).rejects.toThrow("it is no plain file of the user");
		await rm(file);
		await link(join(folder, "secret"), file);
		await expect(takeRequest(folder, "edge")).rejects.toThrow("it is no plain file of the user");
	});

	test("of another form is refused, and nothing of it is repeated", async () => {
		for (const text of ["root:$6$secret:1:", '{"id": "secret"}', "", "\0"]) {
			await writeFile(file, text);
			const error = await takeRequest(folder, "edge").catch((thrown: Error) => thrown.message);
			expect(error).toContain("it is not of the form");
			expect(error).not.toContain("secret");
		}
	});

	test("that is too large is not read", async () => {
		execFileSync("truncate", ["-s", "100M", file]);
		await expect(takeRequest(folder, "edge")).rejects.toThrow("it is larger than");
	});

	test("of somebody else is not taken", async () => {
		await leaveRequest(folder, "edge", WHAT);
		if (process.geteuid?.() !== 0) return expect((await takeRequest(folder, "edge")).gid).toBe(process.getgid?.());
		const other = join(folder, "state");
		await mkdir(other);
		await rename(join(folder, "edge"), join(other, "edge"));
		execFileSync("chown", ["65534:65534", other]);
		await expect(takeRequest(other, "edge")).rejects.toThrow("it is no plain file of the user");
		execFileSync("chown", ["-R", "65534:65534", other]);
		expect((await takeRequest(other, "edge")).gid).toBe(65_534);
	});
});

describe("a result", () => {
	test("comes back as the outcome that it was", async () => {
		const error = new SolistendError("proxy", "check command said no");
		const failed = { kind: "failed", stage: "check", error, serving: "what it had", stagesMs: { check: 1.5 } } as const;
		if (process.geteuid?.() === 0) {
			await leaveResult(folder, "edge", resultOf("1", failed), 65_534);
			const { mode, gid } = await stat(join(folder, "edge.json"));
			expect([mode & 0o777, gid]).toEqual([0o640, 65_534]);
		} else {
			await writeFile(join(folder, "edge.json"), JSON.stringify(resultOf("1", failed)));
		}
		const found = await readResult(folder, "edge");
		expect(found?.id).toBe("1");
		expect(found && outcomeOf(found)).toMatchObject({ ...failed, error: { code: "proxy", message: error.message } });
	});

	test("that can't be read is none", async () => {
		expect(await readResult(folder, "edge")).toBeUndefined();
		await writeFile(join(folder, "edge.json"), '{"id": 1}');
		expect(await readResult(folder, "edge")).toBeUndefined();
		expect(await readFile(join(folder, "edge.json"), "utf8")).toBe('{"id": 1}');
	});
});
