/**
 * What a path leads to right now, and which folders lie on the way. Owns the walk through folders and symbolic links;
 * keeps nothing, and knows nothing of watching.
 */

import type { BigIntStats } from "node:fs";
import { lstat, readdir, readlink } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";

/** Links that the kernel follows in one path before it gives up (ELOOP). */
const LINKS_MAX = 40;

/** A folder on the way, by its real path. */
export interface Folder {
	/** Device and inode: another folder may come to stand at the same path. */
	readonly identity: string;
	/** The entries that matter, or all of them. */
	readonly names: ReadonlySet<string> | "all";
}

/** What paths lead to. */
export interface Trace {
	/** By path, as it was given: changes whenever the content that the path leads to may have changed. */
	readonly contents: ReadonlyMap<string, string>;
	/** Every folder in which a change can change that. */
	readonly folders: ReadonlyMap<string, Folder>;
}

/**
 * Follows paths of files and folders. Of a folder, its own files count, without hidden ones and editors' backups
 * (`.x.swp`, `x~`), and not the folders in it. A path that leads nowhere is content too: its absence.
 */
export async function trace(paths: readonly string[]): Promise<Trace> {
	const folders = new Map<string, OpenFolder>();
	const contents = new Map<string, string>();
	for (const path of paths) {
		const end = await follow(resolve(path), folders);
		contents.set(path, "stats" in end && end.stats.isDirectory() ? await listing(end.path, folders) : print(end));
	}
	return { contents, folders };
}

interface OpenFolder extends Folder {
	names: Set<string> | "all";
}

type End = { readonly path: string; readonly stats: BigIntStats } | { readonly missing: string };

async function listing(path: string, folders: Map<string, OpenFolder>): Promise<string> {
	const folder = folders.get(path);
	if (folder !== undefined) folder.names = "all";
	try {
		const names = await readdir(path);
		const prints: string[] = [];
		for (const name of names.toSorted()) {
			if (name.startsWith(".") || name.endsWith("~")) continue;
			prints.push(`${name} ${print(await follow(join(path, name), folders))}`);
		}
		return prints.join("\n");
	} catch (error) {
		return print({ missing: reason(error) });
	}
}

/** Inode times besides size and identity: a change of mode counts (it may have become readable), reading does not. */
function print(end: End): string {
	if ("missing" in end) return end.missing;
	const { dev, ino, size, mtimeNs, ctimeNs } = end.stats;
	return end.stats.isDirectory() ? "folder" : [dev, ino, size, mtimeNs, ctimeNs].join(":");
}

const reason = (error: unknown): string => (error instanceof Error && "code" in error ? String(error.code) : "unknown");

/** Walks an absolute path step by step, as the kernel does, and notes each folder and entry that it goes through. */
async function follow(path: string, folders: Map<string, OpenFolder>): Promise<End> {
	const steps = path.split("/");
	let links = 0;
	let here = "/";
	try {
		let stats = await lstat(here, { bigint: true });
		note(folders, here, stats);
		for (let step = steps.shift(); step !== undefined; step = steps.shift()) {
			if (step === "" || step === ".") continue;
			const at = step === ".." ? dirname(here) : join(here, step);
			const names = folders.get(here)?.names;
			if (names instanceof Set) names.add(step);
			stats = await lstat(at, { bigint: true });
			if (stats.isSymbolicLink()) {
				if (++links > LINKS_MAX) return { missing: "ELOOP" };
				const target = await readlink(at);
				if (target.startsWith("/")) here = "/";
				steps.unshift(...target.split("/"));
				continue;
			}
			here = at;
			if (stats.isDirectory()) note(folders, here, stats);
		}
		return { path: here, stats };
	} catch (error) {
		return { missing: reason(error) };
	}
}

function note(folders: Map<string, OpenFolder>, path: string, { dev, ino }: BigIntStats): void {
	if (!folders.has(path)) folders.set(path, { identity: `${dev}:${ino}`, names: new Set() });
}
