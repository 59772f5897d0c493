/** Which processes are the HAProxy that answered at a socket. Knows nothing of what follows from that. */

import type { CgroupPlace } from "../../identity/cgroup.js";
import { listProcesses, type Process, placeOf, treeOf } from "./processes.js";

const NAME = "haproxy";

/** `why` is a clause. */
export type Running =
	| {
			readonly state: "found";
			/** The master, or the one process where there is none. */
			readonly pid: number;
			readonly place: CgroupPlace;
			/** It and all that it started. */
			readonly tree: ReadonlySet<number>;
	  }
	| { readonly state: "unknown"; readonly why: string };

/** @param pid of a worker, as it says itself: in its own pid namespace, which may be a container's */
export function findRunning(pid: number): Running {
	return runningOf(pid, listProcesses(), placeOf);
}

/** Pure. */
export function runningOf(
	pid: number,
	processes: readonly Process[],
	placeOfPid: (pid: number) => CgroupPlace,
): Running {
	const candidates = processes.filter(({ name, numbers }) => name === NAME && numbers.at(-1) === pid);
	const [worker] = candidates;
	if (worker === undefined) return { state: "unknown", why: "this user sees no such process, or it runs elsewhere" };
	const place = placeOfPid(worker.pid);
	if (candidates.length > 1 || worker.numbers.length > 1 || place.container !== undefined) {
		return { state: "unknown", why: "it runs in a container, with files and processes of its own" };
	}
	const master = masterOf(worker.pid, processes);
	return { state: "found", pid: master, place, tree: treeOf(master, processes) };
}

/** The process that started this one, and all above it, as far as they are HAProxy. */
export function masterOf(pid: number, processes: readonly Process[]): number {
	const parent = processes.find((one) => one.pid === pid)?.parent;
	const isHaproxy = processes.some((one) => one.pid === parent && one.name === NAME);
	return parent === undefined || !isHaproxy ? pid : masterOf(parent, processes);
}
