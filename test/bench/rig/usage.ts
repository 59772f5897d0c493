/** What a process uses, as the kernel counts it, and V8. */

import { readdir, readFile } from "node:fs/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Time on a CPU of all its threads that live, in milliseconds: `/proc/PID/task/TID/schedstat`, proc(5). */
export async function cpuMs(pid: number): Promise<number> {
	const threads = await readdir(`/proc/${pid}/task`);
	const times = await Promise.all(
		threads.map(async (tid) => Number((await readFile(`/proc/${pid}/task/${tid}/schedstat`, "utf8")).split(" ")[0])),
	);
	return times.reduce((sum, ns) => sum + ns, 0) / 1e6;
}

/** Resident memory in megabytes. */
export async function rssMb(pid: number): Promise<number> {
	const status = await readFile(`/proc/${pid}/status`, "utf8");
	return (Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024) / 1e6;
}

/** What this process's own JavaScript holds on to, in megabytes: in use once garbage is collected. */
export function heldMb(): number {
	setFlagsFromString("--expose-gc");
	const collect: unknown = runInNewContext("gc");
	if (typeof collect !== "function") throw new Error("V8 lets nobody collect garbage");
	collect();
	const { heapUsed, external } = process.memoryUsage();
	return (heapUsed + external) / 1e6;
}

/** TCP segments that came into the network namespace of a process, and that left it: `/proc/PID/net/snmp`. */
export async function tcpSegments(pid: number): Promise<{ received: number; sent: number }> {
	const [names, values] = (await readFile(`/proc/${pid}/net/snmp`, "utf8"))
		.split("\n")
		.filter((line) => line.startsWith("Tcp:"))
		.map((line) => line.split(" "));
	const value = (name: string) => Number(values?.[names?.indexOf(name) ?? -1]);
	return { received: value("InSegs"), sent: value("OutSegs") };
}
