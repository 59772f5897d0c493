/**
 * Nginx's processes, as `/proc` shows them: the master that the pid file names, its workers, and what each says of
 * itself in its title. Never changes anything.
 */

import { readFile } from "node:fs/promises";
import { messageOf, SolistendError } from "../../errors.js";

/** `why` is a clause for people. */
export type Master =
	| {
			readonly state: "running";
			readonly pid: number;
			/** Workers that take connections. */
			readonly workers: readonly number[];
	  }
	/** It does not run: it reads its file when it starts. */
	| { readonly state: "down"; readonly why: string }
	/** There is no pid file to look at. */
	| { readonly state: "unknown" };

/** What the pid file says, in the pid namespace of this process. @throws SolistendError when that may not be read. */
export async function readMaster(pidFile: string | undefined): Promise<Master> {
	if (pidFile === undefined) return { state: "unknown" };
	const text = await readPidFile(pidFile);
	if (text === undefined) return { state: "down", why: `there is no ${pidFile} (start Nginx)` };
	const [, digits] = /^\s*(\d{1,10})\s*$/.exec(text) ?? [];
	if (digits === undefined) return { state: "down", why: `${pidFile} holds no process id (start Nginx)` };
	const pid = Number(digits);
	const title = await titleOf(pid);
	if (!title?.startsWith("nginx: master process")) {
		const what = title === undefined ? "which has ended" : "which is no master of Nginx";
		return { state: "down", why: `${pidFile} names process ${pid}, ${what} (start Nginx)` };
	}
	return { state: "running", pid, workers: await workersOf(pid) };
}

/** Whether a worker takes connections no longer, or is gone. */
export async function isLeaving(worker: number): Promise<boolean> {
	return !isWorker(await titleOf(worker));
}

async function readPidFile(pidFile: string): Promise<string | undefined> {
	try {
		return await readFile(pidFile, "utf8");
	} catch (error) {
		const code = error instanceof Error && "code" in error ? error.code : undefined;
		if (code === "ENOENT" || code === "ENOTDIR") return undefined;
		const mend = code === "EACCES" ? "let the user that runs solistend read it" : "mend pidFile";
		throw new SolistendError("proxy", `cannot read pid file ${pidFile}: ${messageOf(error)} (${mend})`, {
			cause: error,
		});
	}
}

async function workersOf(master: number): Promise<number[]> {
	// One that ends or starts meanwhile may hide another, proc(5): who waits for something looks again.
	const children = await readFile(`/proc/${master}/task/${master}/children`, "utf8").catch(() => "");
	const pids = children
		.split(" ")
		.filter((word) => word !== "")
		.map(Number);
	const titles = await Promise.all(pids.map(titleOf));
	return pids.filter((_, index) => isWorker(titles[index]));
}

/** Its title while it serves is `nginx: worker process`; after that it says that it is shutting down. */
function isWorker(title: string | undefined): boolean {
	return title === "nginx: worker process";
}

/** What a process calls itself: its command line, which Nginx writes over. Undefined when there is none. */
async function titleOf(pid: number): Promise<string | undefined> {
	const line = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
	const title = line.replaceAll("\0", " ").trim();
	return title === "" ? undefined : title;
}
