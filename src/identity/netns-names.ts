/**
 * The names of network namespaces: `host`, and what `ip netns` keeps under `/run/netns`. Remembers what it found and
 * checks it before it is trusted, since both names and inode numbers are used again.
 */

import { readdirSync, type Stats, statSync } from "node:fs";
import type { Procfs } from "./procfs.js";

/** The name of the host's own namespace. A file of that name under `/run/netns` gives no name, lest it pass for it. */
export const HOST_NETNS = "host";

export interface NetnsNames {
	/** The inode number of the host's namespace: that of pid 1, or our own where pid 1 may not be looked at. */
	hostInode(): number | undefined;
	/** The name of a namespace that exists now, unsanitised; undefined when it has none. */
	nameOf(inode: number): string | undefined;
	/** The inode number of the namespace that has this name now; undefined when none has. */
	inodeOf(name: string): number | undefined;
}

export interface NetnsNamesOptions {
	readonly procfs: Procfs;
	/** Where the names are; default `/run/netns`. */
	readonly folder?: string;
	/** Wall-clock milliseconds, comparable to a file's mtime; for tests. */
	readonly now?: () => number;
}

/** Directory times are as coarse as the kernel's tick (at most 10 ms): a change this close to a scan may not show. */
const RACY_MS = 50;

/** A name can be given to another namespace without a trace in its folder (umount, mount), so no scan is kept longer. */
const RESCAN_MS = 1000;

/** What a look at the folder found. */
interface Scan {
	/** The first name of each namespace, in the order of names. */
	readonly names: ReadonlyMap<number, string>;
	/** Files that were no namespace: `ip netns add` makes the file before it mounts the namespace on it. */
	readonly unmounted: readonly string[];
	readonly atMs: number;
	/** The folder's mtime; undefined when it can't be relied on to show the next change. */
	readonly mtimeMs: number | undefined;
}

const NOTHING: Scan = { names: new Map(), unmounted: [], atMs: Number.NEGATIVE_INFINITY, mtimeMs: undefined };

export function createNetnsNames({ procfs, folder = "/run/netns", now = Date.now }: NetnsNamesOptions): NetnsNames {
	let host: number | undefined;
	let nsfs: number | undefined;
	let scan = NOTHING;

	const hostInode = () => {
		host ??= procfs.netnsInode(1) ?? procfs.netnsInode("self");
		return host;
	};

	/** The inode number of the namespace with this name. The device of nsfs tells a namespace from a mere file. */
	const inodeOf = (name: string): number | undefined => {
		nsfs ??= statOrNothing("/proc/self/ns/net")?.dev;
		const found = statOrNothing(`${folder}/${name}`);
		return found?.dev === nsfs ? found?.ino : undefined;
	};

	const rescan = (mtimeMs: number): Scan => {
		const names = new Map<number, string>();
		const unmounted: string[] = [];
		const atMs = now();
		for (const name of filesIn(folder).sort()) {
			if (name === HOST_NETNS) continue;
			const inode = inodeOf(name);
			if (inode === undefined) unmounted.push(name);
			else if (!names.has(inode)) names.set(inode, name);
		}
		return { names, unmounted, atMs, mtimeMs: atMs - mtimeMs > RACY_MS ? mtimeMs : undefined };
	};

	/** Whether the scan still tells all names there are: then a namespace that is not in it has none. */
	const isCurrent = (mtimeMs: number): boolean =>
		scan.mtimeMs === mtimeMs &&
		Math.abs(now() - scan.atMs) < RESCAN_MS &&
		scan.unmounted.every((name) => inodeOf(name) === undefined);

	return {
		hostInode,
		inodeOf: (name) => (name === HOST_NETNS ? hostInode() : inodeOf(name)),
		nameOf(inode) {
			if (inode === hostInode()) return HOST_NETNS;
			const remembered = scan.names.get(inode);
			if (remembered !== undefined && inodeOf(remembered) === inode) return remembered;
			const mtimeMs = statOrNothing(folder)?.mtimeMs;
			if (mtimeMs === undefined) scan = NOTHING;
			else if (remembered !== undefined || !isCurrent(mtimeMs)) scan = rescan(mtimeMs);
			return scan.names.get(inode);
		},
	};
}

/** The folder is only there once `ip netns` was used; a name in it can go at any time. */
function statOrNothing(path: string): Stats | undefined {
	try {
		return statSync(path, { throwIfNoEntry: false });
	} catch {
		return undefined;
	}
}

function filesIn(folder: string): string[] {
	try {
		return readdirSync(folder);
	} catch {
		return [];
	}
}
