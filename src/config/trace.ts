/**
 * What a path leads to right now, and which folders lie on the way. Owns the walk through folders and symbolic links;
 * keeps nothing, and knows nothing of watching.
 */

import type { BigIntStats } from "node:fs";
import { lstat, readdir, readlink } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";

/** Links that the kernel follows in one path before it gives up (ELOOP). */
const LINKS_MAX = 40;

/** What paths lead to. */
export interface Trace {
	/** By path: changes whenever the content that the path leads to may have changed. */
	readonly contents: ReadonlyMap<string, string>;
	/** Every folder in which a change can change that, real paths only, with its identity (device and inode). */
	readonly folders: ReadonlyMap<string, string>;
}

/**
 * Follows paths of files and folders. Of a folder, its own files count, without hidden ones and editors' backups
 * (`.x.swp`, `x~`), and not the folders in it. A path that leads nowhere is content too: its absence.
 */
export async function trace(paths: readonly string[]): Promise<Trace> {
	const folders = new Map<string, string>();
	const contents = new Map<string, string>();
	for (const path of paths) {
		const end = await follow(resolve(path), folders);
		contents.set(path, "stats" in end && end.stats.isDirectory() ? await listing(end.path, folders) : print(end));
	}
	return { contents, folders };
}

type End = { readonly path: string; readonly stats: BigIntStats } | { readonly missing: string };

async function listing(folder: string, folders: Map<string, string>): Promise<string> {
	try {
		const names = await readdir(folder);
		const shown = names.filter((name) => !name.startsWith(".") && !name.endsWith("~")).toSorted();
		const prints: string[] = [];
		for (const name of shown) prints.push(`${name} ${print(await follow(join(folder, name), folders))}`);
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

/** Walks an absolute path step by step, as the kernel does, and notes each folder that it goes through. */
async function follow(path: string, folders: Map<string, string>): Promise<End> {
	const steps = path.split("/");
	let links = 0;
	try {
		let here = "/";
		let stats = await lstat(here, { bigint: true });
		folders.set(here, identity(stats));
		for (let step = steps.shift(); step !== undefined; step = steps.shift()) {
			if (step === "" || step === ".") continue;
			const at = step === ".." ? dirname(here) : join(here, step);
			stats = await lstat(at, { bigint: true });
			if (stats.isSymbolicLink()) {
				if (++links > LINKS_MAX) return { missing: "ELOOP" };
				const target = await readlink(at);
				if (target.startsWith("/")) here = "/";
				steps.unshift(...target.split("/"));
				continue;
			}
			here = at;
			if (stats.isDirectory()) folders.set(here, identity(stats));
		}
		return { path: here, stats };
	} catch (error) {
		return { missing: reason(error) };
	}
}

const identity = ({ dev, ino }: BigIntStats): string => `${dev}:${ino}`;
