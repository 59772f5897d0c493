/** From what the suites told to the table in docs/kernels.md. Pure. */

import { type Report, wayText } from "./suite/report.js";

type CaseReport = Extract<Report, { type: "case" }>;

/** All that one kernel's suite told. */
export interface KernelResult {
	/** As it is called on the command line. */
	readonly name: string;
	/** Debian's package, with its version. */
	readonly package: string;
	readonly host: Extract<Report, { type: "host" }>;
	readonly cases: readonly CaseReport[];
	readonly sensors: readonly Extract<Report, { type: "sensor" }>[];
}

export function page(results: readonly KernelResult[], old: string): string {
	void results;
	void wayText;
	return old;
}
