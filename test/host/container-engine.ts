/**
 * What a real Docker and a real Podman of a test have in common: spoken to with Docker's command line over their socket,
 * an image made here, containers with addresses. Knows nothing of how either is started.
 */

import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, readlink, rm, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { eventually } from "./eventually.js";
import { type Closeable, lifetime } from "./lifetime.js";
import { addNetns, enter, type Netns } from "./netns.js";
import { kill, type Process, startProcess } from "./process.js";
import { tempFolder } from "./temp-folder.js";

export interface RunOptions {
	readonly name?: string;
	readonly labels?: Readonly<Record<string, string>>;
	readonly env?: Readonly<Record<string, string>>;
	/** As `-p` takes them, e.g. `8080:80`, or `80` for a port of the engine's choice. */
	readonly publish?: readonly string[];
	readonly network?: string;
	readonly stopSignal?: string;
	/** More options of `docker run`. */
	readonly options?: readonly string[];
	/** Default: a web server on port 80 that answers with the container's name. */
	readonly command?: readonly string[];
}

export interface RunningContainer {
	/** 64 hexadecimal digits. */
	readonly id: string;
	readonly name: string;
	/** IPv4 address in its first network; empty where it has none of its own. */
	readonly address: string;
	/** Of its first process, as the host sees it. */
	readonly pid: number;
	/** Asks it to stop, and kills it at once. */
	stop(): Promise<void>;
	/** Starts it again. */
	start(): Promise<void>;
	/** Ends it, if need be, and removes it. */
	remove(): Promise<void>;
}

export interface ContainerEngine extends AsyncDisposable {
	readonly name: "docker" | "podman";
	/** Path of its API's unix socket. */
	readonly socket: string;
	/** Where its bridges are: containers are reached from within, e.g. by `enter(engine.netns)`. */
	readonly netns: Netns;
	/** Starts a container; resolves when it runs, which is before it listens. */
	run(options?: RunOptions): Promise<RunningContainer>;
	/** `docker WORD…` against it. @returns what it printed @throws Error with its words when it fails */
	exec(...words: readonly string[]): Promise<string>;
	/** Kills the engine alone; containers go on. */
	kill(): Promise<void>;
	/** Starts it again; resolves when it answers. */
	restart(): Promise<void>;
	/** Removes containers, processes, cgroups, namespace and folder. */
	close(): Promise<void>;
}

export interface StartOptions {
	readonly name: "docker" | "podman";
	/** Command words, and the environment, of an engine that keeps all it has in `folder` and listens at `socket`. */
	readonly command: (place: { readonly folder: string; readonly socket: string; readonly cgroup: string }) => {
		readonly words: readonly string[];
		readonly env?: Readonly<Record<string, string>>;
	};
	/** Options of `docker run` that keep a container in the engine's own cgroup. */
	readonly runOptions?: (cgroup: string) => readonly string[];
	/** Cgroups beside its own that it makes and leaves; removed where they are empty. */
	readonly leaves?: readonly string[];
	/** Files of its folder that would mislead it when it starts after it was killed. */
	readonly stale?: readonly string[];
	/** Files that it wants in its folder. */
	readonly files?: (folder: string) => Readonly<Record<string, string>>;
}

export const IMAGE = "busybox:latest";

const READY_TIMEOUT_MS = 30_000;
const STOP_PATIENCE_MS = 20_000;

let started = 0;

/** Starts an engine in a network namespace and mounts of its own. @throws Error with its words when it does not answer */
export async function startEngine({
	name,
	command,
	runOptions,
	leaves = [],
	stale = [],
	files,
}: StartOptions): Promise<ContainerEngine> {
	const owned = lifetime();
	started += 1;
	const cgroup = `/slt-${process.pid}-${name}-${started}`;
	// Podman takes no longer path than 50 characters.
	const folder = owned.own(await tempFolder("slt")).path;
	owned.own({ close: () => removeCgroups([cgroup], [...leaves]) });
	const netns = owned.own(await addNetns(`${name}${started}`));
	const mounts = owned.own(await holdMounts(netns));
	const socket = join(folder, `${name}.sock`);
	for (const [file, text] of Object.entries(files?.(folder) ?? {})) await writeFile(join(folder, file), text);
	const env = { DOCKER_HOST: `unix://${socket}`, DOCKER_CONFIG: join(folder, "client") };

	const exec = async (...words: readonly string[]) => (await execa("docker", words, { env })).stdout;
	let engine: Process | undefined;
	const start = async () => {
		for (const file of stale) await rm(join(folder, file), { force: true });
		const { words, env: more } = command({ folder, socket, cgroup });
		// On SIGTERM it ends its own children, also when this process was killed.
		const begun = startProcess(["nsenter", `--target=${mounts.pid}`, "--mount", "--net", "--", ...words], {
			deathSignal: "TERM",
			// what it writes on its way goes with the folder
			env: { TMPDIR: folder, ...more },
		});
		engine = begun;
		const ended = new AbortController();
		begun.exited.then(() => ended.abort(new Error(`${name} ended:\n${begun.lastLines()}`)));
		await eventually(`${name} answers`, () => exec("version").then(() => true), {
			timeoutMs: READY_TIMEOUT_MS,
			everyMs: 50,
			signal: ended.signal,
		});
	};
	const stop: Closeable = { close: async () => engine?.close(STOP_PATIENCE_MS) };
	owned.own(stop);
	owned.own({
		close: async () => {
			const ids = await exec("ps", "--all", "--quiet").catch(() => "");
			if (ids !== "") await exec("rm", "--force", ...ids.split("\n"));
		},
	});

	const containerOf = async (id: string): Promise<RunningContainer> => {
		const [found] = JSON.parse(await exec("inspect", id));
		const [network] = Object.values<{ IPAddress?: string }>(found.NetworkSettings.Networks);
		return {
			id,
			name: found.Name.replace(/^\//, ""),
			address: network?.IPAddress ?? "",
			pid: found.State.Pid,
			stop: async () => void (await exec("stop", "--time", "0", id)),
			start: async () => void (await exec("start", id)),
			remove: async () => void (await exec("rm", "--force", id)),
		};
	};

	try {
		await start();
		await importImage(exec, folder, env);
	} catch (error) {
		await owned.close();
		throw error;
	}
	return {
		name,
		socket,
		netns,
		exec,
		async run({ name, labels = {}, env = {}, publish = [], network, stopSignal, options = [], command = WEB } = {}) {
			const id = await exec(
				"run",
				"--detach",
				...(name === undefined ? [] : ["--name", name]),
				...pairs("--label", labels),
				...pairs("--env", env),
				...publish.flatMap((port) => ["--publish", port]),
				...(network === undefined ? [] : ["--network", network]),
				...(stopSignal === undefined ? [] : ["--stop-signal", stopSignal]),
				...(runOptions?.(cgroup) ?? []),
				...options,
				IMAGE,
				...command,
			);
			return containerOf(id);
		},
		async kill() {
			engine?.signal("SIGKILL");
			await engine?.exited;
		},
		restart: start,
		close: owned.close,
		[Symbol.asyncDispose]: owned.close,
	};
}

/** A process that does nothing but have a namespace of mounts, which go with the last of those who are in it. */
async function holdMounts(netns: Netns): Promise<Process> {
	const holder = startProcess([
		...enter(netns),
		"unshare",
		"--mount",
		"--propagation=slave",
		"--",
		"sleep",
		"infinity",
	]);
	const mountsOf = (pid: number | "self") => readlink(`/proc/${pid}/ns/mnt`);
	const ours = await mountsOf("self");
	await eventually("it has its own mounts", async () => (await mountsOf(holder.pid)) !== ours);
	return holder;
}

/** Nothing is said before it listens, so that the answer is whole. */
const WEB = ["sh", "-c", "hostname > /www/index.html; exec httpd -f -p 80 -h /www"];

const pairs = (option: string, values: Readonly<Record<string, string>>) =>
	Object.entries(values).flatMap(([key, value]) => [option, `${key}=${value}`]);

/** Makes an image of Debian's busybox-static, which needs nothing else. */
async function importImage(exec: ContainerEngine["exec"], folder: string, env: Record<string, string>): Promise<void> {
	const root = join(folder, "image");
	for (const part of ["bin", "etc", "tmp", "proc", "sys", "dev", "www"])
		await mkdir(join(root, part), { recursive: true });
	await writeFile(join(root, "etc/passwd"), "root:x:0:0:root:/:/bin/sh\n");
	await execa("cp", ["/bin/busybox", join(root, "bin/busybox")]);
	const { stdout: applets } = await execa("/bin/busybox", ["--list"]);
	const links = applets.split("\n").filter((applet) => applet !== "busybox");
	await execa("xargs", ["-I{}", "ln", "-s", "busybox", "{}"], { cwd: join(root, "bin"), input: links.join("\n") });
	const tar = join(folder, "image.tar");
	await execa("tar", ["-C", root, "-cf", tar, "."]);
	await execa("docker", ["import", "--change", "ENV PATH=/bin", tar, IMAGE], { env });
	// Once: an image that is not there would be looked for in a registry.
	await exec("image", "inspect", IMAGE);
}

/** Kills what is left in cgroups of ours, and removes them; of `shared` ones those that are empty. cgroups(7). */
async function removeCgroups(own: readonly string[], shared: readonly string[]): Promise<void> {
	const ROOT = "/sys/fs/cgroup";
	const hierarchies = [ROOT, ...(await readdir(ROOT)).map((name) => join(ROOT, name))];
	for (const hierarchy of hierarchies) {
		for (const cgroup of own) await removeTree(join(hierarchy, cgroup), true);
		for (const cgroup of shared) await removeTree(join(hierarchy, cgroup), false);
	}
}

async function removeTree(path: string, isOurs: boolean): Promise<void> {
	if (!existsSync(join(path, "cgroup.procs"))) return;
	for (const entry of await readdir(path, { withFileTypes: true })) {
		if (entry.isDirectory()) await removeTree(join(path, entry.name), isOurs);
	}
	if (!isOurs) {
		await rmdir(path).catch(() => {});
		return;
	}
	await eventually(`${path} is empty`, async () => {
		const pids = (await readFile(join(path, "cgroup.procs"), "utf8")).split("\n").filter((line) => line !== "");
		for (const pid of pids) kill(Number(pid), "SIGKILL");
		return pids.length === 0 && rmdir(path).then(() => true);
	});
}
