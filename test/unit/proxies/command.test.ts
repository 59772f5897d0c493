import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { runCommand } from "../../../src/proxies/command.js";

let folder: string;

beforeAll(async () => {
	folder = await mkdtemp(join(tmpdir(), "solistend-command-"));
});

afterAll(() => rm(folder, { recursive: true }));

interface Settings {
	what?: "check" | "reload";
	timeoutMs?: number;
	signal?: AbortSignal;
}

function run(command: readonly string[], { what = "check", timeoutMs = 10_000, signal }: Settings = {}) {
	return runCommand({ what, command, output: "/out put", timeoutMs, signal: signal ?? new AbortController().signal });
}

/** The process ids that a script wrote into a file; waits until it did. */
function pidsIn(name: string, count: number): Promise<number[]> {
	return vi.waitFor(
		async () => {
			// it is there before anything is in it
			const pids = (await readFile(join(folder, name), "utf8")).split("\n").filter(Boolean).map(Number);
			expect(pids).toHaveLength(count);
			return pids;
		},
		{ timeout: 5000, interval: 5 },
	);
}

/** By then a shell has come so far as to wait, also where others are at work. */
const SPOKEN_MS = 1000;

function isAlive(pid: number): boolean {
	try {
		process.kill(pid, 0);
		return true;
	} catch {
		return false;
	}
}

const gone = (pids: readonly number[]) =>
	vi.waitFor(() => expect(pids.filter(isAlive)).toEqual([]), { timeout: 5000, interval: 5 });

describe("a command", () => {
	test("gets the output as one argument, and no shell", async () => {
		const file = join(folder, "args");
		await run(["sh", "-c", 'printf "%s|" "$@" > "$0"', file, "{{output}}", "-f={{output}}", "$HOME; echo"]);
		expect(await readFile(file, "utf8")).toBe("/out put|-f=/out put|$HOME; echo|");
	});

	test("that exits with another code than 0 is an error with what it said", async () => {
		await expect(run(["sh", "-c", "echo hello; echo 'bad thing' >&2; exit 3"])).rejects.toThrow(
			"check command \"sh -c echo hello; echo 'bad thing' >&2; exit 3\" exited with code 3: hello; bad thing",
		);
	});

	test("is quoted with its telling lines, without pids", async () => {
		const said = [
			"[NOTICE]   (123) : haproxy version is 2.6.12",
			"[ALERT]    (123) : config : parsing [/x:3] : unknown keyword 'a'",
			"[ALERT]    (123) : config : Error(s) found in configuration file : /x",
		].join("\n");
		await writeFile(join(folder, "said"), said);
		await expect(run(["sh", "-c", 'cat "$0"; exit 1', join(folder, "said")])).rejects.toThrow(
			/exited with code 1: config : parsing \[\/x:3\] : unknown keyword 'a'; config : Error\(s\) found in configuration file : \/x$/,
		);
	});

	test("that says nothing is an error, too", async () => {
		await expect(run(["false"])).rejects.toThrow('check command "false" exited with code 1 and said nothing');
	});

	test("that is ended by a signal is an error", async () => {
		await expect(run(["sh", "-c", "kill -9 $$"])).rejects.toThrow("was ended by SIGKILL");
	});

	test("that says more than anybody reads is no trouble", async () => {
		await run(["sh", "-c", "yes | head -c 10000000"]);
		await expect(run(["sh", "-c", "yes | head -c 10000000; echo error: last; exit 1"])).rejects.toThrow(
			"exited with code 1: error: last",
		);
	});

	test("that is not installed is named with the mend", async () => {
		await expect(run(["no-such-program", "-t"], { what: "reload" })).rejects.toThrow(
			'cannot run the reload command "no-such-program -t": no-such-program is not installed (install it, or give its full path)',
		);
	});

	test("that may not be executed is named with the mend", async () => {
		const file = join(folder, "plain");
		await writeFile(file, "");
		await expect(run([file])).rejects.toThrow(`${file} may not be executed (make it executable)`);
	});
});

describe("a command that hangs", () => {
	test("is stopped after its time, with all that it started", async () => {
		const script = `echo $$ > ${folder}/hang; sleep 60 & echo $! >> ${folder}/hang; echo waiting for the lock; wait`;
		await expect(run(["sh", "-c", script], { timeoutMs: SPOKEN_MS })).rejects.toThrow(
			/did not end within 1000 ms and was stopped: waiting for the lock \(mend it, or raise timeout\)$/,
		);
		await gone(await pidsIn("hang", 2));
	});

	test("and ignores SIGTERM is killed", async () => {
		const script = `trap '' TERM; echo $$ > ${folder}/stubborn; while :; do sleep 60; done`;
		await expect(run(["sh", "-c", script], { timeoutMs: SPOKEN_MS })).rejects.toThrow("was stopped");
		await gone(await pidsIn("stubborn", 1));
	});

	test("is stopped when the daemon stops", async () => {
		const abort = new AbortController();
		const script = `echo $$ > ${folder}/abort; sleep 60`;
		const running = run(["sh", "-c", script], { signal: abort.signal });
		const pids = await pidsIn("abort", 1);
		abort.abort(new Error("stopping"));
		await expect(running).rejects.toThrow("stopping");
		await gone(pids);
	});
});

test("a command may leave a process behind that holds its output open", async () => {
	const startMs = performance.now();
	await run(["sh", "-c", `sleep 60 & echo $! > ${folder}/left`]);
	expect(performance.now() - startMs).toBeLessThan(5000);
	const [pid = 0] = await pidsIn("left", 1);
	expect(isAlive(pid)).toBe(true);
	process.kill(pid);
});
