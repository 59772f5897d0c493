/** What must hold on a host before the sensor can start: each thing that is missing gets its own clear error. */

import { accessSync, constants, readFileSync } from "node:fs";
import { release } from "node:os";
import { messageOf, SolistendError } from "../errors.js";
import { objectProblem } from "./object-file.js";

/** The oldest kernel that has every helper the programs call (`bpf_get_socket_cookie` in tracing programs). */
const MIN_KERNEL = [5, 12] as const;

export const BTF_PATH = "/sys/kernel/btf/vmlinux";

/** Bits of `CapEff` in `/proc/PID/status`, capabilities(7). */
const CAPABILITIES = { CAP_SYS_ADMIN: 21, CAP_PERFMON: 38, CAP_BPF: 39 } as const;

/** One requirement: what it is, and undefined or the error that says what is wrong and how to mend it. */
export interface Requirement {
	readonly name: string;
	readonly problem: SolistendError | undefined;
}

/** Checks kernel, BTF, privileges and the object file, in that order. */
export function checkRequirements(objectPath: string): Requirement[] {
	return [
		{ name: `kernel ${release()}`, problem: checkKernel(release()) },
		{ name: "kernel type information (BTF)", problem: checkBtf() },
		{ name: "capabilities", problem: checkCapabilities(readFileSync("/proc/self/status", "utf8")) },
		{ name: "BPF object", problem: checkObject(objectPath) },
	];
}

export function checkKernel(version: string): SolistendError | undefined {
	const [major = 0, minor = 0] = version.split(".").map((part) => Number.parseInt(part, 10));
	const [minMajor, minMinor] = MIN_KERNEL;
	if (major > minMajor || (major === minMajor && minor >= minMinor)) return undefined;
	return new SolistendError(
		"unsupported",
		`kernel ${version} is too old: its BPF lacks what the sensor calls (${MIN_KERNEL.join(".")} or newer is needed)`,
	);
}

function checkBtf(): SolistendError | undefined {
	try {
		accessSync(BTF_PATH, constants.R_OK);
		return undefined;
	} catch (cause) {
		return new SolistendError(
			"unsupported",
			`cannot read ${BTF_PATH}: the kernel has no BTF, or this user may not see it (use a kernel built with CONFIG_DEBUG_INFO_BTF=y, as distributions' are, and mount /sys)`,
			{ cause },
		);
	}
}

/** @param status text of `/proc/self/status` */
export function checkCapabilities(status: string): SolistendError | undefined {
	const mask = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? "0"}`);
	const has = (capability: keyof typeof CAPABILITIES) => ((mask >> BigInt(CAPABILITIES[capability])) & 1n) === 1n;
	if (has("CAP_SYS_ADMIN")) return undefined;
	const missing = (["CAP_BPF", "CAP_PERFMON"] as const).filter((capability) => !has(capability));
	if (missing.length === 0) return undefined;
	return new SolistendError(
		"privilege",
		`missing ${missing.join(" and ")} to load BPF programs (run as root, or give the capabilities: AmbientCapabilities=CAP_BPF CAP_PERFMON in the systemd unit)`,
	);
}

function checkObject(path: string): SolistendError | undefined {
	const mend = "install solistend anew, or build it: npm run build:bpf";
	let bytes: Buffer;
	try {
		bytes = readFileSync(path);
	} catch (cause) {
		return new SolistendError("unsupported", `cannot read the BPF object ${path}: ${messageOf(cause)} (${mend})`, {
			cause,
		});
	}
	const problem = objectProblem(bytes);
	return problem === undefined
		? undefined
		: new SolistendError("unsupported", `cannot use the BPF object ${path}: ${problem} (${mend})`);
}
