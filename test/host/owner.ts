/** Who made something that the kernel keeps: a mark that tells whether that process still lives. */

import { readFileSync } from "node:fs";

/** The mark of this process; fits into the alias of a network interface. */
export const ownerMark = () => `solistend ${process.pid} ${startTicks(process.pid)}`;

/** Whether `mark` is of a process that is gone. False for whatever is no mark: it was made by somebody else. */
export function isAbandoned(mark: string | undefined): boolean {
	const [, pid, ticks] = /^solistend (\d+) (\d+)$/.exec(mark ?? "") ?? [];
	return pid !== undefined && startTicks(Number(pid)) !== ticks;
}

/** When a process started, in clock ticks since boot: with the pid, unique. Field 22 of `/proc/PID/stat`, proc(5). */
function startTicks(pid: number): string | undefined {
	try {
		const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
		// The second field is the command in parentheses, which may hold spaces and parentheses itself.
		return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
	} catch {
		return undefined;
	}
}
