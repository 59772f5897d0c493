/** Processes as `solistend doctor` looks at them: names, parents, command lines. Reads `/proc` alone, and judges nothing. */

import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { type CgroupPlace, parseCgroup } from "../../identity/cgroup.js";

export interface Process {
	/** In the pid namespace of the `/proc` that is read. */
	readonly pid: number;
	/** What it calls itself, at most 15 characters. */
	readonly name: string;
	readonly parent: number;
	/** Its number in each pid namespace that it is in, its own the last. */
	readonly numbers: readonly number[];
}

/** All that may be seen. Milliseconds on a busy host. */
export function listProcesses(): Process[] {
	const pids = attempt(() => readdirSync("/proc").filter((name) => /^\d+$/.test(name))) ?? [];
	return pids.flatMap((pid) => parseStatus(Number(pid), readText(`/proc/${pid}/status`) ?? "") ?? []);
}

/** Reads `/proc/PID/status`. */
export function parseStatus(pid: number, text: string): Process | undefined {
	const value = (key: string) => new RegExp(`^${key}:\\s*(.*)$`, "m").exec(text)?.[1];
	const [name, parent, numbers] = [value("Name"), value("PPid"), value("NSpid")];
	if (name === undefined || parent === undefined) return undefined;
	return { pid, name, parent: Number(parent), numbers: numbers?.split(/\s+/).map(Number) ?? [pid] };
}

/** Program and arguments; none where the process is gone, or hidden. */
export function commandOf(pid: number): string[] {
	const text = readText(`/proc/${pid}/cmdline`) ?? "";
	return text === "" ? [] : text.replace(/\0$/, "").split("\0");
}

/** Unit, container and what else its cgroup tells. */
export function placeOf(pid: number): CgroupPlace {
	return parseCgroup(readText(`/proc/${pid}/cgroup`) ?? "");
}

/** A link such as `cwd` or `exe`; needs the right to trace the process. */
export function linkOf(pid: number, name: "cwd" | "exe"): string | undefined {
	return attempt(() => readlinkSync(`/proc/${pid}/${name}`));
}

/** The process and all that descend from it. */
export function treeOf(root: number, processes: readonly Process[]): Set<number> {
	const tree = new Set([root]);
	// Each round goes a generation further down.
	for (let known = 0; known !== tree.size; ) {
		known = tree.size;
		for (const { pid, parent } of processes) if (tree.has(parent)) tree.add(pid);
	}
	return tree;
}

function readText(path: string): string | undefined {
	return attempt(() => readFileSync(path, "utf8"));
}

/** A process can go between any two looks. */
function attempt<T>(look: () => T): T | undefined {
	try {
		return look();
	} catch {
		return undefined;
	}
}
