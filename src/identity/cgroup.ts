/**
 * Reads a process's place in the cgroup tree: path, systemd unit, container, pod, machine. Pure: from the text of
 * `/proc/PID/cgroup` (cgroups(7)), whether v1, v2 or both at once.
 */

/** What the text tells, unsanitised; each part is absent where it does not. */
export interface CgroupPlace {
	/** The path, e.g. `/system.slice/nginx.service`. */
	readonly cgroup?: string;
	/** The systemd unit, e.g. `nginx.service`. */
	readonly unit?: string;
	/** The container's full id, 64 hexadecimal digits. */
	readonly container?: string;
	/** The uid of its Kubernetes pod as Kubernetes writes it, e.g. `2f1c8a4e-7a40-4a53-9d0b-0b8c6a3e7f11`. */
	readonly pod?: string;
	/** The name of the nspawn or LXC container that it is in. */
	readonly machine?: string;
}

/** A line: `hierarchy:controllers:path`. The path may itself hold colons. */
interface Line {
	readonly path: string;
	/** How much is to be learnt from it; the lowest first. */
	readonly rank: number;
	readonly depth: number;
}

/**
 * The last part of a component as Docker, Podman, containerd, CRI-O and Kubernetes name a container's cgroup: the id
 * alone, or after a prefix (`docker-…`, `libpod-payload-…`, `…slice:cri-containerd:…`), as a scope or not.
 */
const CONTAINER = /(?:^|[-:])([0-9a-f]{64})(?:\.scope)?$/;

/** Most paths lead to none, and need no closer look. */
const MAY_BE_CONTAINER = /[0-9a-f]{64}/;

/** A container's monitor runs beside it, in a cgroup of nearly the same name. */
const MONITOR = /-conmon-/;

/**
 * A pod's cgroup as the kubelet names it: `pod…` under its own, `kubepods-burstable-pod….slice` under systemd's, where the
 * uid has `_` for `-`. A static pod's uid is the hash of its file, and has none.
 */
const POD = /(?:^|-)pod([0-9a-f]{32}|[0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12})(?:\.slice)?(?:$|:)/;

/** A container's own unit as systemd-nspawn and machined name it; the name is escaped (systemd.unit(5)). */
const NSPAWN = /^(?:systemd-nspawn@(.+)\.service|machine-(.+)\.scope)$/;

/** LXC 4 and newer: `lxc.payload.NAME`; before that the name has a component of its own. */
const LXC = /^lxc\.payload\.(.+)$/;
const LXC_PARENT = /^lxc(?:\.payload)?$/;

const MAY_BE_MACHINE = /systemd-nspawn@|machine-|lxc/;

/** Where the text says the process is. */
export function parseCgroup(text: string): CgroupPlace {
	const lines = text.split("\n").flatMap(parseLine).sort(byTrust);
	// On a hybrid host the unified path may name the engine's own service while a v1 path names the container.
	const line =
		lines.find(({ path }) => containerOf(path) !== undefined) ??
		lines.find(({ path }) => machineOf(path) !== undefined) ??
		lines[0];
	if (line === undefined) return {};
	const container = containerOf(line.path);
	const hosts = hostsPart(line.path);
	const unit = unitOf(hosts);
	const pod = podOf(hosts);
	const machine = machineOf(hosts);
	return {
		cgroup: line.path,
		...(unit !== undefined && { unit }),
		...(container !== undefined && { container }),
		...(pod !== undefined && { pod }),
		...(machine !== undefined && { machine }),
	};
}

function parseLine(line: string): Line[] {
	const [, controllers = "", path = ""] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
	// A cgroup that was removed while the process was in it.
	if (path === "") return [];
	const there = path.replace(/ \(deleted\)$/, "");
	return [{ path: there, rank: rankOf(controllers, there), depth: there.split("/").length }];
}

/** The unified hierarchy first, then systemd's own, then controllers, the deepest first; the root says nothing. */
function byTrust(a: Line, b: Line): number {
	return a.rank - b.rank || b.depth - a.depth;
}

function rankOf(controllers: string, path: string): number {
	if (path === "/") return 3;
	if (controllers === "") return 0;
	return controllers === "name=systemd" ? 1 : 2;
}

/** The outermost container: the one that the host's own engine started. */
function containerOf(path: string): string | undefined {
	const component = path.split("/")[containerAt(path)];
	return component === undefined ? undefined : CONTAINER.exec(component)?.[1];
}

/** The path down to the container. What is below it was named in there, after whomever it pleased. */
function hostsPart(path: string): string {
	const at = containerAt(path);
	return at === -1 ? path : path.split("/", at + 1).join("/");
}

/** Which component of the path is the container's; -1 when it is in none. */
function containerAt(path: string): number {
	if (!MAY_BE_CONTAINER.test(path)) return -1;
	return path.split("/").findIndex((component, at, all) => {
		// without systemd, what is named so is Podman's pod
		const isPod = all[at - 1] === "libpod_parent" && CONTAINER.test(all[at + 1] ?? "");
		return CONTAINER.test(component) && !MONITOR.test(component) && !isPod;
	});
}

/** What a person calls the unit: the innermost service, else the innermost scope that is not a container's. */
function unitOf(path: string): string | undefined {
	const components = path.split("/").reverse();
	return (
		components.find((component) => /.\.service$/.test(component)) ??
		components.find((component) => /.\.scope$/.test(component) && !/[0-9a-f]{64}\.scope$/.test(component))
	);
}

/** The outermost pod, with the dashes that Kubernetes writes: what is below it, a container may have made itself. */
function podOf(path: string): string | undefined {
	for (const component of path.split("/")) {
		const uid = POD.exec(component)?.[1];
		if (uid !== undefined) return uid.replaceAll("_", "-");
	}
	return undefined;
}

/** The outermost nspawn or LXC container, as its host knows it; their monitors are outside. */
function machineOf(path: string): string | undefined {
	if (!MAY_BE_MACHINE.test(path)) return undefined;
	const components = path.split("/");
	for (const [at, component] of components.entries()) {
		const below = components[at + 1];
		const [, service, scope] = NSPAWN.exec(component) ?? [];
		const escaped = service ?? scope;
		if (escaped !== undefined && below !== "supervisor") return unescapeUnit(escaped);
		const name = LXC.exec(component)?.[1] ?? (LXC_PARENT.test(component) ? below : undefined);
		if (name !== undefined && name !== "" && !CONTAINER.test(name)) return name;
	}
	return undefined;
}

/** systemd writes every byte that a unit's name can't have, and `-` itself, as `\xNN`. */
function unescapeUnit(name: string): string {
	return name.replace(/\\x([0-9a-f]{2})/g, (_, byte: string) => String.fromCharCode(Number.parseInt(byte, 16)));
}
