import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { SolistendError } from "../../../src/errors.js";
import { outputFiles, readOutput } from "../../../src/proxies/atomic-write.js";
import { runTransaction, type Transaction } from "../../../src/proxies/transaction.js";

let folder: string;
let output: string;
/** What the proxy has read, in order. */
let loaded: string[];

beforeEach(async () => {
	folder = await mkdtemp(join(tmpdir(), "solistend-transaction-"));
	output = join(folder, "p.cfg");
	loaded = [];
	await writeFile(output, "old");
});

afterEach(() => rm(folder, { recursive: true }));

const proxyError = (message: string) => new SolistendError("proxy", message);

function transact(parts: Partial<Transaction>, signal = new AbortController().signal) {
	return runTransaction(
		{
			output,
			text: "new",
			reload: async (file) => {
				loaded.push(await readFile(file, "utf8"));
			},
			...parts,
		},
		signal,
	);
}

const inFolder = async () =>
	Object.fromEntries(
		await Promise.all(
			(await readdir(folder)).map(async (name) => [name, await readFile(join(folder, name), "utf8")] as const),
		),
	);

describe("a transaction", () => {
	test("checks the staged file, swaps, reloads, verifies, and tells how long each took", async () => {
		const seen: string[] = [];
		const outcome = await transact({
			check: async (candidate) => {
				seen.push(`check ${await readFile(candidate, "utf8")}, live ${await readFile(output, "utf8")}`);
			},
			verify: async () => {
				seen.push(`verify ${loaded.join()}`);
			},
		});
		expect(seen).toEqual(["check new, live old", "verify new"]);
		expect(outcome.kind).toBe("applied");
		expect(Object.keys(outcome.stagesMs)).toEqual(["stage", "check", "swap", "reload", "verify"]);
		expect(await inFolder()).toEqual({ "p.cfg": "new" });
	});

	test("without a text only reloads", async () => {
		const outcome = await runTransaction(
			{ output, reload: async (file) => void loaded.push(await readFile(file, "utf8")) },
			new AbortController().signal,
		);
		expect(outcome.kind).toBe("applied");
		expect(loaded).toEqual(["old"]);
		expect(Object.keys(outcome.stagesMs)).toEqual(["reload"]);
	});

	test("marks what may not be read by a proxy that is just starting", async () => {
		const outcome = await runTransaction({ output, text: "new", unconfirmed: true }, new AbortController().signal);
		expect(outcome.kind).toBe("applied");
		expect(await inFolder()).toEqual({ "p.cfg": "new", ".p.cfg.previous": "old" });
	});

	test("without a reload only writes what passed its check", async () => {
		const outcome = await runTransaction({ output, text: "new" }, new AbortController().signal);
		expect(outcome.kind).toBe("applied");
		expect(await inFolder()).toEqual({ "p.cfg": "new" });
	});
});

describe("a failed transaction", () => {
	test("never replaces the file by what failed its check, and keeps that beside", async () => {
		const outcome = await transact({
			check: async (candidate) => {
				throw proxyError(`unknown keyword in ${candidate}:3`);
			},
		});
		expect(outcome).toMatchObject({
			kind: "failed",
			stage: "check",
			serving: "the previous configuration, which was not touched",
			error: {
				code: "proxy",
				message: `unknown keyword in ${folder}/.p.cfg.rejected:3 (the rejected file is kept as ${folder}/.p.cfg.rejected)`,
			},
		});
		expect(loaded).toEqual([]);
		expect(await inFolder()).toEqual({ "p.cfg": "old", ".p.cfg.rejected": "new" });
	});

	test("restores and reloads the previous file after a reload that fails", async () => {
		const outcome = await transact({
			reload: async (file) => {
				loaded.push(await readFile(file, "utf8"));
				if (loaded.length === 1) throw proxyError("reload failed");
			},
		});
		expect(outcome).toMatchObject({
			kind: "failed",
			stage: "reload",
			serving: "the previous configuration, loaded again",
			error: { message: "reload failed; the previous file is back" },
		});
		expect(loaded).toEqual(["new", "old"]);
		expect(await inFolder()).toEqual({ "p.cfg": "old" });
	});

	test("restores and reloads the previous file after a verification that fails", async () => {
		const outcome = await transact({
			verify: async () => {
				throw proxyError("not there");
			},
		});
		expect(outcome).toMatchObject({
			kind: "failed",
			stage: "verify",
			error: { message: "not there; the previous file is back" },
		});
		expect(loaded).toEqual(["new", "old"]);
		expect(await inFolder()).toEqual({ "p.cfg": "old" });
	});

	test("says so when the previous file can't be loaded either", async () => {
		const outcome = await transact({
			reload: async () => {
				throw proxyError("no");
			},
		});
		expect(outcome).toMatchObject({
			kind: "failed",
			serving: "what it had before the new file",
			error: { message: "no; the previous file is back, but loading it failed too: no" },
		});
		expect(await inFolder()).toEqual({ "p.cfg": "old", ".p.cfg.previous": "old" });
	});

	test("leaves the previous file marked as not read until it could be loaded", async () => {
		const reload = async () => {
			throw proxyError("no");
		};
		await transact({ reload });
		expect(await readOutput(await outputFiles(output))).toEqual({ text: "old", confirmed: false });
		await runTransaction({ output, reload }, new AbortController().signal);
		expect(await inFolder()).toEqual({ "p.cfg": "old", ".p.cfg.previous": "old" });
		await transact({ text: "newer", reload });
		expect(await inFolder()).toEqual({ "p.cfg": "old", ".p.cfg.previous": "old" });
		await runTransaction({ output, reload: async () => {} }, new AbortController().signal);
		expect(await readOutput(await outputFiles(output))).toEqual({ text: "old", confirmed: true });
		expect(await inFolder()).toEqual({ "p.cfg": "old" });
	});

	test("keeps a first file that passed its check, marked as not read", async () => {
		await rm(output);
		const outcome = await transact({
			reload: async () => {
				throw proxyError("no");
			},
		});
		expect(outcome).toMatchObject({
			kind: "failed",
			error: { message: "no (there is no previous file to go back to)" },
		});
		expect(await inFolder()).toEqual({ "p.cfg": "new", ".p.cfg.previous": "" });
	});

	test("leaves nothing behind when it can't be staged", async () => {
		const outcome = await transact({ output: join(folder, "none/p.cfg") });
		expect(outcome).toMatchObject({
			kind: "failed",
			stage: "stage",
			error: { message: expect.stringContaining("does not exist") },
		});
		expect(await inFolder()).toEqual({ "p.cfg": "old" });
	});
});

describe("an aborted transaction rejects", () => {
	test("and leaves the old file, when the check was running", async () => {
		const abort = new AbortController();
		const running = transact(
			{
				check: async () => {
					abort.abort(new Error("stopping"));
					abort.signal.throwIfAborted();
				},
			},
			abort.signal,
		);
		await expect(running).rejects.toThrow("stopping");
		expect(await inFolder()).toEqual({ "p.cfg": "old" });
	});
});

describe("a transaction that is aborted after the swap", () => {
	afterEach(() => {
		vi.useRealTimers();
	});

	test("is finished", async () => {
		const abort = new AbortController();
		const outcome = await transact(
			{
				reload: async (file, signal) => {
					abort.abort(new Error("stopping"));
					signal.throwIfAborted();
					loaded.push(await readFile(file, "utf8"));
				},
			},
			abort.signal,
		);
		expect(outcome.kind).toBe("applied");
		expect(loaded).toEqual(["new"]);
		expect(await inFolder()).toEqual({ "p.cfg": "new" });
	});

	test("is taken back where the new file can't be loaded", async () => {
		const abort = new AbortController();
		const outcome = await transact(
			{
				verify: async () => {
					abort.abort(new Error("stopping"));
					throw proxyError("not there");
				},
			},
			abort.signal,
		);
		expect(outcome).toMatchObject({ kind: "failed", serving: "the previous configuration, loaded again" });
		expect(loaded).toEqual(["new", "old"]);
		expect(await inFolder()).toEqual({ "p.cfg": "old" });
	});

	test("leaves the new file marked as not read, when the reload hangs", async () => {
		const abort = new AbortController();
		const running = transact(
			{
				reload: async (_, signal) => {
					vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
					abort.abort(new Error("stopping"));
					vi.advanceTimersByTime(60_000);
					signal.throwIfAborted();
				},
			},
			abort.signal,
		);
		await expect(running).rejects.toThrow("stopping");
		expect(await inFolder()).toEqual({ "p.cfg": "new", ".p.cfg.previous": "old" });
	});
});
