/** What `/proc/PID/net/tcp` says listens: the kernel's other account of the same thing. */

import { readFileSync } from "node:fs";

const LISTEN = "0A";

/** The ports that listen in the namespace of a process, sorted; one for each socket. */
export function listeningPorts(pid: number | "self"): number[] {
	const rows = ["tcp", "tcp6"].flatMap((file) =>
		readFileSync(`/proc/${pid}/net/${file}`, "latin1").trim().split("\n").slice(1),
	);
	return rows
		.map((row) => row.trim().split(/\s+/))
		.filter(([, , , state]) => state === LISTEN)
		.map(([, local = ""]) => Number.parseInt(local.slice(local.lastIndexOf(":") + 1), 16))
		.sort((a, b) => a - b);
}
