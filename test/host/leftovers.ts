/** What a run left on the machine, found by looking, not by remembering. */

import { readdir, readFile } from "node:fs/promises";

/**
 * Processes that were started, by whomever, with a variable in their environment. Zombies do not count.
 *
 * @param variable `NAME=VALUE`
 * @returns a line for each: its id and command
 */
export async function processesWith(variable: string): Promise<string[]> {
	const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name) && name !== String(process.pid));
	const found = await Promise.all(
		pids.map(async (pid) => {
			const environment = await readFile(`/proc/${pid}/environ`, "utf8").catch(() => "");
			if (!environment.split("\0").includes(variable)) return [];
			const command = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
			return [`${pid} ${command.replaceAll("\0", " ").trim()}`];
		}),
	);
	return found.flat();
}
