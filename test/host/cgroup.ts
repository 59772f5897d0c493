/** Cgroups as a container engine makes them, without an engine. Knows nothing of what runs in them. */

import { mkdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { eventually } from "./eventually.js";

export interface Cgroup extends AsyncDisposable {
	/** Command words that run what follows them in it. */
	readonly enter: readonly string[];
	/** Stops its processes where they are, as `docker pause` does; they can be killed all the same. */
	freeze(): Promise<void>;
	thaw(): Promise<void>;
	/** Waits until its processes have ended, and removes it. */
	close(): Promise<void>;
}

/** That of a container, as Docker names it with systemd; in the unified hierarchy. */
export async function addContainerCgroup(id: string): Promise<Cgroup> {
	const mounts = (await readFile("/proc/self/mountinfo", "utf8")).split("\n");
	const root = mounts.find((line) => line.includes(" - cgroup2 "))?.split(" ")[4];
	if (root === undefined) throw new Error("no cgroup2 is mounted (mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified)");
	const folder = join(root, `docker-${id}.scope`);
	await mkdir(folder);
	// busy for as long as a process of it is on its way out
	const close = () => eventually(`${folder} is removed`, () => rmdir(folder).then(() => true));
	return {
		freeze: () => writeFile(join(folder, "cgroup.freeze"), "1"),
		thaw: () => writeFile(join(folder, "cgroup.freeze"), "0"),
		enter: ["sh", "-c", 'echo $$ > "$0"; exec "$@"', join(folder, "cgroup.procs")],
		close: async () => void (await close()),
		[Symbol.asyncDispose]: async () => void (await close()),
	};
}
