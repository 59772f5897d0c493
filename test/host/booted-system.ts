/**
 * A plain Debian 12 that is booted, with systemd as its first process, in namespaces of its own: for what a package and its
 * units do. Made by test/extended/bookworm.sh; whatever happens in it is in memory, and gone when it is closed, unless it is
 * given a folder to keep it in.
 */

import { existsSync } from "node:fs";
import { mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { eventually } from "./eventually.js";
import { startProcess } from "./process.js";

/** Made by test/extended/bookworm.sh. */
const ROOT = "/var/cache/solistend-test/bookworm";

/** In the system, the processes of the machine. */
const HOST_PROC = "/run/host-proc";

/**
 * On a host the daemon lives in the first pid namespace, by which events name processes; here it sees that one's. The rest of
 * the unit is what it is.
 */
const SEES_ALL = `mkdir -p /run/systemd/system/solistend.service.d
printf '[Service]\\nBindReadOnlyPaths=${HOST_PROC}:/proc\\n' >/run/systemd/system/solistend.service.d/host-proc.conf`;

export interface Ran {
	readonly code: number;
	/** Both streams, trimmed. */
	readonly output: string;
}

export interface BootedSystem extends AsyncDisposable {
	/** Runs a line of shell in it, as root; what it prints. @throws Error when it fails, with all that it printed */
	sh(line: string): Promise<string>;
	/** The same, whatever comes of it. */
	try(line: string): Promise<Ran>;
	/** Shuts it down. */
	close(): Promise<void>;
	/** Ends it where it is, as a power cut does. */
	cut(): Promise<void>;
}

/**
 * Boots one; a second or two.
 *
 * @param folders of the machine that are seen in it, read only, at the path of the second
 * @param disk an empty folder in which all that is written is kept: booted again with it, the system is as it was left. Without
 *   one it is gone with the system
 */
export async function bootSystem(
	folders: readonly (readonly [string, string])[] = [],
	disk?: string,
): Promise<BootedSystem> {
	const cgroups = await cgroupsOf(`solistend-booted-${crypto.randomUUID().slice(0, 8)}`);
	const nspawn = startProcess(
		[
			...cgroups.enter,
			...(disk === undefined ? [] : await onDisk(disk)),
			...["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--boot"],
			...(disk === undefined ? ["--volatile=overlay", `--directory=${ROOT}`] : [`--directory=${disk}/root`]),
			...[`--machine=solistend-${process.pid}`, "--private-network", "--capability=all", "--console=pipe"],
			"--system-call-filter=bpf perf_event_open @keyring",
			...["--bind=/sys/fs/bpf", "--bind=/sys/kernel/tracing", `--bind-ro=/proc:${HOST_PROC}`],
			...folders.map(([from, to]) => `--bind-ro=${from}:${to}`),
		],
		{ deathSignal: "TERM" },
	);
	try {
		const leader = await eventually("the system's first process", () => firstProcess(nspawn.pid));
		const enter = ["nsenter", "--all", `--target=${leader}`, "--wdns=/", "env", "-i", ...ENVIRONMENT];
		const attempt = async (line: string): Promise<Ran> => {
			const [command = "", ...words] = [...enter, "sh", "-euc", line];
			const { exitCode = 255, all } = await execa(command, words, { all: true, reject: false, stdin: "ignore" });
			return { code: exitCode, output: all.trim() };
		};
		await eventually(
			"the system is up",
			async () => {
				const { output } = await attempt("systemctl is-system-running");
				return /running|degraded/.test(output);
			},
			{ timeoutMs: 60_000, everyMs: 50 },
		);
		const sh = async (line: string): Promise<string> => {
			const { code, output } = await attempt(line);
			if (code !== 0) throw new Error(`${line}: exit code ${code}\n${output}`);
			return output;
		};
		await sh(SEES_ALL);
		const end = async (patienceMs: number) => {
			await nspawn.close(patienceMs);
			await cgroups.remove();
		};
		const close = () => end(20_000);
		return {
			try: attempt,
			sh,
			close,
			cut: () => end(0),
			[Symbol.asyncDispose]: close,
		};
	} catch (error) {
		const words = nspawn.lastLines();
		await nspawn.close();
		await cgroups.remove();
		throw new Error(`the system did not boot:\n${words}`, { cause: error });
	}
}

/**
 * Cgroups of its own, in the hierarchies that systemd works with: two systems in the same ones would wait for each other's
 * processes to end, where a service of the same name is stopped.
 */
async function cgroupsOf(name: string): Promise<{ readonly enter: readonly string[]; remove(): Promise<void> }> {
	const mounts = (await readFile("/proc/self/mountinfo", "utf8")).split("\n");
	const own = mounts
		.filter((line) => / - cgroup2 | - cgroup .*\bname=systemd\b/.test(line))
		.map((line) => join(line.split(" ")[4] ?? "", name));
	const entering = 'until [ "$1" = -- ]; do mkdir "$1" && echo $$ >"$1/cgroup.procs"; shift; done; shift; exec "$@"';
	return {
		enter: ["sh", "-euc", entering, "sh", ...own, "--"],
		async remove() {
			// busy for as long as a process of it is on its way out
			const removing = ["-depth", "-type", "d", "-exec", "rmdir", "{}", "+"];
			await eventually("the system's cgroups are removed", async () => {
				for (const folder of own) if (existsSync(folder)) await execa("find", [folder, ...removing]);
				return true;
			});
		},
	};
}

/**
 * What makes the system's root in a folder, of the plain one and of what was written over it, and runs what follows. It is
 * mounted for that process alone, and so gone with it.
 */
async function onDisk(disk: string): Promise<string[]> {
	for (const name of ["written", "work", "root"]) await mkdir(join(disk, name), { recursive: true });
	const layers = `lowerdir=${ROOT},upperdir=${disk}/written,workdir=${disk}/work`;
	const mounting = `mount -t overlay solistend-test -o ${layers} ${disk}/root && exec "$@"`;
	return ["unshare", "--mount", "sh", "-c", mounting, "sh"];
}

const ENVIRONMENT = [
	"HOME=/root",
	"LC_ALL=C.UTF-8",
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	"DEBIAN_FRONTEND=noninteractive",
];

/** The process called systemd below another one. */
async function firstProcess(ancestor: number): Promise<number | undefined> {
	const children = await childrenOf(ancestor);
	for (const child of children) {
		const name = (await readFile(`/proc/${child}/comm`, "utf8")).trim();
		const found = name === "systemd" ? child : await firstProcess(child);
		if (found !== undefined) return found;
	}
	return undefined;
}

async function childrenOf(pid: number): Promise<number[]> {
	const threads = await readdir(`/proc/${pid}/task`);
	const lists = await Promise.all(threads.map((thread) => readFile(`/proc/${pid}/task/${thread}/children`, "utf8")));
	return lists
		.flatMap((list) => list.trim().split(" "))
		.filter((word) => word !== "")
		.map(Number);
}
