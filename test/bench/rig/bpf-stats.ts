/** What BPF programs of this process cost, as the kernel counts it: `kernel.bpf_stats_enabled`, and `/proc/self/fdinfo`. */

import { readdir, readFile, writeFile } from "node:fs/promises";

/** Of all programs together. */
export interface Runs {
	readonly count: number;
	readonly ns: number;
}

export interface BpfStats extends AsyncDisposable {
	/** What they have run since they were loaded, as far as it was counted. */
	read(): Promise<Runs>;
}

const SWITCH = "/proc/sys/kernel/bpf_stats_enabled";

/** Has the kernel count, until it is disposed of. */
export async function countBpf(): Promise<BpfStats> {
	const before = await readFile(SWITCH, "utf8");
	await writeFile(SWITCH, "1");
	return {
		async read() {
			const texts = await Promise.all(
				(await readdir("/proc/self/fdinfo")).map((fd) => readFile(`/proc/self/fdinfo/${fd}`, "utf8").catch(() => "")),
			);
			return runsOf(texts);
		},
		[Symbol.asyncDispose]: () => writeFile(SWITCH, before.trim()),
	};
}

/** From the texts of descriptors, of which some are those of programs: once each, however many descriptors one has. */
export function runsOf(texts: readonly string[]): Runs {
	const programs = new Map<string, Runs>();
	for (const text of texts) {
		const value = (name: string) => new RegExp(`^${name}:\\s*(\\d+)$`, "m").exec(text)?.[1];
		const id = value("prog_id");
		const [count, ns] = [value("run_cnt"), value("run_time_ns")];
		if (id !== undefined && count !== undefined) programs.set(id, { count: Number(count), ns: Number(ns) });
	}
	return [...programs.values()].reduce((sum, { count, ns }) => ({ count: sum.count + count, ns: sum.ns + ns }), {
		count: 0,
		ns: 0,
	});
}
