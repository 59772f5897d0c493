/** Which of all daemons this one is: by what the kernel and the machine say of it. Read once. */

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

/** Who tells for a host: decides which of two that claim to be the same host does. */
export interface ProcessIdentity {
	/** Of this boot of the kernel. */
	readonly boot: string;
	/** Of this machine, over boots; empty where it has none. */
	readonly machine: string;
	/** When the process started, in ticks since boot. */
	readonly start: number;
}

export function readProcessIdentity(): ProcessIdentity {
	const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
	const stat = readFileSync("/proc/self/stat", "utf8");
	// The name, in parentheses, may hold anything; `starttime` is the 22nd field, the 20th after it.
	const start = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]);
	return { boot, machine: hashed(machineId()), start };
}

function machineId(): string {
	try {
		return readFileSync("/etc/machine-id", "utf8").trim();
	} catch {
		return "";
	}
}

/** machine-id(5) asks not to show it to others as it is. */
const hashed = (id: string): string =>
	id === "" ? "" : createHash("sha256").update(`solistend ${id}`).digest("hex").slice(0, 32);
