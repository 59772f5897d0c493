/** What must hold on a host before the sensor can start: each thing that is missing gets its own clear error. */

import { accessSync, constants, readFileSync } from "node:fs";
import { release } from "node:os";
import { messageOf, SolistendError } from "../errors.js";
import { objectProblem } from "./object-file.js";

/** The oldest kernel that has every kind of program and map that the sensor can't do without, and was tried. */
const MIN_KERNEL = [5, 10] as const;

/** From here on maps are accounted to cgroups; before, to the memory that a user may lock. */
const UNLIMITED_KERNEL = [5, 11] as const;

/** What the maps of `bpf/maps.h` take together, with room to spare; counted by the kernel 5.10. */
const LOCKED_BYTES = 48 * 1024 * 1024;

export const BTF_PATH = "/sys/kernel/btf/vmlinux";

/** Bits of `CapEff` in `/proc/PID/status`, capabilities(7). */
const CAPABILITIES = { CAP_SYS_ADMIN: 21, CAP_SYS_RESOURCE: 24, CAP_PERFMON: 38, CAP_BPF: 39 } as const;

/** One requirement: what it is, and undefined or the error that says what is wrong and how to mend it. */
export interface Requirement {
	readonly name: string;
	readonly problem: SolistendError | undefined;
}

/** Checks kernel, BTF, privileges, the limit of locked memory and the object file, in that order. */
export function checkRequirements(objectPath: string): Requirement[] {
	const status = readFileSync("/proc/self/status", "utf8");
	const limits = readFileSync("/proc/self/limits", "utf8");
	return [
		{ name: `kernel ${release()}`, problem: checkKernel(release()) },
		{ name: "kernel type information (BTF)", problem: checkBtf() },
		{ name: "capabilities", problem: checkCapabilities(status) },
		{ name: "locked memory", problem: checkLockedMemory(release(), { status, limits }) },
		{ name: "BPF object", problem: checkObject(objectPath) },
	];
}

export function checkKernel(version: string): SolistendError | undefined {
	if (isAtLeast(version, MIN_KERNEL)) return undefined;
	return new SolistendError(
		"unsupported",
		`kernel ${version} is too old: its BPF lacks what the sensor calls (${MIN_KERNEL.join(".")} or newer is needed)`,
	);
}

function isAtLeast(version: string, [minMajor, minMinor]: readonly [number, number]): boolean {
	const [major = 0, minor = 0] = version.split(".").map((part) => Number.parseInt(part, 10));
	return major > minMajor || (major === minMajor && minor >= minMinor);
}

/** Whether the kernel charges BPF maps to the memory that a user may lock (RLIMIT_MEMLOCK). */
export const chargesLockedMemory = (version: string = release()): boolean => !isAtLeast(version, UNLIMITED_KERNEL);

/**
 * @param status text of `/proc/self/status`
 * @param limits text of `/proc/self/limits`
 */
export function checkLockedMemory(
	version: string,
	{ status, limits }: { readonly status: string; readonly limits: string },
): SolistendError | undefined {
	if (!chargesLockedMemory(version) || hasCapability(status, "CAP_SYS_RESOURCE")) return undefined;
	// the hard limit: the sensor raises the soft one up to it
	const hard = /^Max locked memory\s+\S+\s+(\S+)/m.exec(limits)?.[1] ?? "unlimited";
	if (hard === "unlimited" || Number(hard) >= LOCKED_BYTES) return undefined;
	const mib = LOCKED_BYTES / 1024 / 1024;
	return new SolistendError(
		"privilege",
		`locked memory is limited to ${Number(hard) / 1024} KiB, and kernel ${version} counts BPF maps to it: ${mib} MiB are needed (set LimitMEMLOCK=infinity in the systemd unit, or ulimit -l unlimited, or run as root)`,
	);
}

function hasCapability(status: string, capability: keyof typeof CAPABILITIES): boolean {
	const mask = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? "0"}`);
	return ((mask >> BigInt(CAPABILITIES[capability])) & 1n) === 1n;
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
	if (hasCapability(status, "CAP_SYS_ADMIN")) return undefined;
	const missing = (["CAP_BPF", "CAP_PERFMON"] as const).filter((capability) => !hasCapability(status, capability));
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
