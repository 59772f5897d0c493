/** A real Nginx as a proxy for a test: in the host's namespaces, with all its files in a folder of the test. */

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { eventually } from "./eventually.js";
import { kill, startProcess } from "./process.js";
import { NGINX } from "./programs.js";

export interface Nginx extends AsyncDisposable {
	/** The master. */
	readonly pid: number;
	/** Its workers that take connections. */
	workers(): Promise<number[]>;
	/** Ends master and workers: in good order, or by SIGKILL, which leaves the pid file behind. */
	stop(signal?: "SIGTERM" | "SIGKILL"): Promise<void>;
	close(): Promise<void>;
}

/** How many workers a configuration has, unless told otherwise: by that one can tell when all are there. */
export const WORKERS = 2;

/** The pid file that `mainLines` names. */
export const pidFileIn = (folder: string) => join(folder, "nginx.pid");

/** Directives for the main block, so that it writes nowhere but in the folder, and stays in the foreground. */
export const mainLines = (folder: string) => ["daemon off;", `error_log ${join(folder, "error.log")} notice;`];

/** Directives for the http block. */
export const httpLines = (folder: string) => [
	"access_log off;",
	...["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path ${join(folder, name)};`),
];

/** The settings of a proxy whose whole file solistend writes, with all else in the folder. */
export const wholeFile = (folder: string, output: string, port: number) => ({
	type: "nginx",
	template: "nginx.conf.hbs",
	output,
	check: [NGINX, "-t", "-c", "{{output}}"],
	pidFile: pidFileIn(folder),
	options: {
		bind: `127.0.0.1:${port}`,
		workers: WORKERS,
		mainLines: mainLines(folder),
		httpLines: httpLines(folder),
	},
});

/** Starts it; resolves when its workers serve. @throws Error with its own words when it ends first */
export async function startNginx(folder: string, configFile: string, count = WORKERS): Promise<Nginx> {
	const command = [NGINX, "-e", join(folder, "error.log"), "-c", configFile];
	// A master that is killed leaves its workers behind.
	const nginx = startProcess(command, { deathSignal: "TERM" });
	const ended = new AbortController();
	nginx.exited.then(() => ended.abort(new Error(`nginx ended: ${nginx.lastLines()}`)));
	const workers = () => workersOf(nginx.pid);
	try {
		await eventually(
			"nginx serves",
			async () =>
				(await workers()).length === count && (await readFile(pidFileIn(folder), "utf8")).trim() === String(nginx.pid),
			{ everyMs: 5, signal: ended.signal },
		);
	} catch (error) {
		await nginx.close();
		throw error;
	}
	const stop = async (signal: "SIGTERM" | "SIGKILL" = "SIGTERM") => {
		// Workers outlive a master that is killed; all of them are one process group.
		if (signal === "SIGKILL") kill(-nginx.pid, signal);
		await nginx.close();
	};
	return { pid: nginx.pid, workers, stop, close: stop, [Symbol.asyncDispose]: () => stop() };
}

async function workersOf(master: number): Promise<number[]> {
	const children = (await readFile(`/proc/${master}/task/${master}/children`, "utf8"))
		.trim()
		.split(" ")
		.filter(Boolean);
	const titles = await Promise.all(children.map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")));
	return children.map(Number).filter((_, index) => /^nginx: worker process\0*\s*$/.test(titles[index] ?? ""));
}
