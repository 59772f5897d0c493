/** A virtual machine that boots one kernel, and ends by itself. Knows nothing of what runs in it. */

import { startProcess } from "../host/process.js";

export interface VmOptions {
	readonly kernel: string;
	readonly initramfs: string;
	/** Each line that it writes to its console. */
	readonly onLine: (line: string) => void;
	readonly timeoutMs: number;
	/** What the suite is to run, see there; default: all. */
	readonly only?: string | undefined;
}

/**
 * Boots, and waits until the machine is off. Emulated in software, which works everywhere, with one CPU: with two, some
 * kernels fault while they boot so. Its clock goes by the instructions that it has run, one a nanosecond, and over what it
 * would sleep: however slow or busy this host is, in there nothing is late.
 *
 * @throws Error when it is not off within `timeoutMs`, with the last lines of its console
 */
export async function runVm({ kernel, initramfs, onLine, timeoutMs, only }: VmOptions): Promise<void> {
	const machine = [
		"-accel",
		"tcg",
		"-icount",
		"shift=0,sleep=off",
		"-cpu",
		"max",
		"-smp",
		"1",
		"-m",
		"1024",
		"-no-reboot",
	];
	const devices = ["-nodefaults", "-no-user-config", "-display", "none", "-monitor", "none", "-serial", "stdio"];
	const boot = ["-kernel", kernel, "-initrd", initramfs];
	const words = ["console=ttyS0", "quiet", "panic=-1", "mitigations=off", "nokaslr"];
	// What the kernel does not know goes into the environment of the first process. In base64: it would cut it at spaces.
	if (only !== undefined) words.push(`SUITE_ONLY=${Buffer.from(only).toString("base64url")}`);
	const append = ["-append", words.join(" ")];
	await using vm = startProcess(["qemu-system-x86_64", ...machine, ...devices, ...boot, ...append], {
		onLine: (line) => onLine(line.replaceAll("\r", "")),
	});
	let timer: NodeJS.Timeout | undefined;
	const late = new Promise<"late">((resolve) => {
		timer = setTimeout(resolve, timeoutMs, "late");
	});
	const outcome = await Promise.race([vm.exited, late]);
	clearTimeout(timer);
	if (outcome === "late") throw new Error(`not off within ${timeoutMs / 1000} s; its last words:\n${vm.lastLines()}`);
	if (outcome.code !== 0) throw new Error(`qemu ended with ${outcome.code ?? outcome.signal}:\n${vm.lastLines()}`);
}
