/** What the suite in the VM tells the one who booted it: a line each. Knows neither cases nor kernels. */

import type { Hooks } from "../../../src/sensor/hooks.js";

/** Before each line that is meant for {@link parseReport}; whatever else the VM writes has none. */
const MARK = "@@report ";

/** The group of the cases that are about its start and end. */
export const SENSOR = "The sensor";

/** As whom the sensor runs, and how much memory it may lock. */
export interface Way {
	readonly user: "root" | "capabilities";
	/** RLIMIT_MEMLOCK, in KiB. */
	readonly memlock: 64 | "unlimited";
}

/** What came of a case. `impossible`: it failed in exactly the way that it has to on that kernel. */
export type Outcome =
	| { readonly kind: "passed" }
	| { readonly kind: "impossible"; readonly because: string }
	| { readonly kind: "failed"; readonly problem: string };

export type Report =
	/** First of all: what runs there. */
	| { readonly type: "host"; readonly release: string; readonly node: string }
	| {
			readonly type: "case";
			readonly way: Way;
			readonly group: string;
			readonly name: string;
			readonly outcome: Outcome;
			/** How long it took, under emulation. */
			readonly ms: number;
	  }
	/** What the sensor said of itself once it had started. */
	| { readonly type: "sensor"; readonly way: Way; readonly libbpf: string; readonly hooks: Hooks }
	/** Last of all. */
	| { readonly type: "end" };

export const reportLine = (report: Report): string => `${MARK}${JSON.stringify(report)}\n`;

/** The report in a line of the VM's output; undefined for any other line. */
export function parseReport(line: string): Report | undefined {
	if (!line.startsWith(MARK)) return undefined;
	const report: Report = JSON.parse(line.slice(MARK.length));
	return report;
}

/** In words, as the table has it. */
export function wayText({ user, memlock }: Way): string {
	const who = user === "root" ? "root" : "CAP_BPF, CAP_PERFMON";
	return `${who}; MEMLOCK ${memlock === "unlimited" ? memlock : `${memlock} KiB`}`;
}
