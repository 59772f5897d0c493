/**
 * The gate before tests that need root and BPF. A file of such tests calls `requirePrivileges()` at its top and wraps
 * them in `describe.skipIf(skipPrivileged)`: nothing is skipped in silence, only where the user asked for it.
 */

import { readFileSync } from "node:fs";
import { SolistendError } from "../../src/errors.js";
import { PACKAGED_OBJECT } from "../../src/sensor/kernel.js";
import { checkRequirements } from "../../src/sensor/preflight.js";

/** Whether the user asked to leave out what needs privileges (SOLISTEND_SKIP_PRIVILEGED=1). */
export const skipPrivileged = process.env["SOLISTEND_SKIP_PRIVILEGED"] === "1";

/** Bits of `CapEff`, capabilities(7): what making network namespaces and entering them takes. */
const NAMESPACE_CAPABILITIES = { CAP_NET_ADMIN: 12, CAP_SYS_ADMIN: 21 } as const;

/** Everything that is missing to load BPF programs and make namespaces, each with its mend. */
export function missingPrivileges(): string[] {
	const missing = checkRequirements(PACKAGED_OBJECT).flatMap(({ problem }) => problem?.message ?? []);
	const mask = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "0"}`);
	const absent = Object.entries(NAMESPACE_CAPABILITIES).filter(([, bit]) => ((mask >> BigInt(bit)) & 1n) === 0n);
	if (absent.length > 0) {
		const names = absent.map(([name]) => name).join(" and ");
		missing.push(`missing ${names} to make network namespaces (run as root; in a container, give it --privileged)`);
	}
	return missing;
}

/**
 * Fails where root or BPF is missing, unless the user asked to skip what needs them.
 *
 * @throws SolistendError that names each thing that is missing
 */
export function requirePrivileges(): void {
	if (skipPrivileged) return;
	const missing = missingPrivileges();
	if (missing.length === 0) return;
	throw new SolistendError(
		"privilege",
		`cannot run what needs root and BPF: ${missing.join("; ")}. Or leave it out: SOLISTEND_SKIP_PRIVILEGED=1`,
	);
}
