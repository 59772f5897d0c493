/**
 * Tells when files and folders change. Owns the watch and the gathering of events; knows nothing of what is in the
 * files.
 *
 * Notifications are hints, the file system is the truth. What is watched are the folders on the way to each path, by
 * one inotify watch each: a folder's watch sees its files written, replaced, removed, made and its links switched, where
 * a watch on a file would stay with an inode that nobody names any more. After a hint the folders are watched afresh,
 * the paths followed anew, and only what leads to something else than before is reported.
 */

import { basename } from "node:path";
import type { FSWatcher } from "chokidar";
import { messageOf, SolistendError } from "../errors.js";
import { type Folder, type Trace, trace } from "./trace.js";

/** Hints are gathered for so long. */
const GATHER_MS = 100;

/** A running watch. It does not keep the process alive. */
export interface FileWatch {
	/**
	 * Ends the watch, and tells of what changed until now and was not told yet; once resolved, nothing is watched and nothing
	 * is called any more.
	 */
	close(): Promise<void>;
}

/**
 * Watches files and folders (of a folder, its own files), which need not exist yet. Resolves when the watch is ready:
 * begin to watch, then read, and no change is missed.
 *
 * @param paths - as they are to be named in `onChange`
 * @param onChange - called with the paths that changed, 100 ms after the first hint of it
 * @param onError - called when a folder cannot be watched (no permission, no inotify watches left), while all others
 *   still are, and with what `onChange` throws; a warning of the process unless given
 */
export async function watchFiles(
	paths: readonly string[],
	onChange: (changed: readonly string[]) => void,
	onError: (error: SolistendError) => void = (error) => process.emitWarning(error),
): Promise<FileWatch> {
	// Loaded here: most commands read their configuration once and never watch it.
	const chokidar = await import("chokidar");
	const watchers: FSWatcher[] = [];
	/** Folders that are known to be out of reach: each is reported once. */
	const unwatchable = new Set<string>();
	let timer: NodeJS.Timeout | undefined;
	let closed = false;

	const hint = (): void => {
		if (!closed) timer ??= setTimeout(() => look(), GATHER_MS);
	};
	const fail = (what: string, error: unknown): void =>
		onError(new SolistendError("config", `${what}: ${messageOf(error)}`, { cause: error }));

	const watchFolder = async ([path, { names }]: readonly [string, Folder]): Promise<void> => {
		// A watcher of its own for each folder, and no persistent one: chokidar shares those by path, and goes on using
		// one whose folder was replaced; and a watcher of several folders drops those below one that it finds missing.
		const watcher = chokidar.watch(path, {
			persistent: false,
			ignoreInitial: true,
			followSymlinks: false,
			depth: 0,
			atomic: false,
			ignored: (entry) => entry !== path,
		});
		watchers.push(watcher);
		// Raw events: chokidar's own are thinned out, by time and by what it remembers of each file. An event on the folder
		// itself bears its name. A watch on the root folder ends with its first event, whatever that is.
		watcher.on("raw", (_, name) => {
			if (names === "all" || names.has(name) || name === basename(path) || path === "/") hint();
		});
		const error = await new Promise<unknown>((resolve) =>
			watcher.once("ready", () => resolve(undefined)).on("error", resolve),
		);
		if (error === undefined) unwatchable.delete(path);
		else if (!unwatchable.has(path)) {
			unwatchable.add(path);
			fail(`cannot watch ${path} (let solistend's user read it, or raise fs.inotify.max_user_watches)`, error);
		}
	};

	const unwatch = async (): Promise<void> => {
		await Promise.all(watchers.splice(0).map((watcher) => watcher.close()));
	};

	/** What is there now, looked at while the folders on the way are watched: nothing after it can be missed. */
	const follow = async (): Promise<Trace> => {
		for (let before = await trace(paths); ; ) {
			await unwatch();
			await Promise.all([...before.folders].map(watchFolder));
			const now = await trace(paths);
			if (closed || sameFolders(before.folders, now.folders)) return now;
			before = now;
		}
	};

	let { contents } = await trace(paths);
	let looking: Promise<void> = Promise.resolve();
	const compare = async (see: () => Promise<Trace>): Promise<void> => {
		const before = contents;
		({ contents } = await see());
		const changed = paths.filter((path) => contents.get(path) !== before.get(path));
		if (changed.length > 0) onChange(changed);
	};
	const look = (see = follow): void => {
		timer = undefined;
		looking = looking
			.then(() => compare(see))
			.catch((error: unknown) => fail(`cannot take in a change of ${paths.join(", ")}`, error));
	};

	await follow();
	hint();
	return {
		async close() {
			clearTimeout(timer);
			if (!closed) look(() => trace(paths));
			closed = true;
			await looking;
			await unwatch();
		},
	};
}

function sameFolders(one: ReadonlyMap<string, Folder>, other: ReadonlyMap<string, Folder>): boolean {
	const print = (folder: Folder | undefined): string | undefined =>
		folder && `${folder.identity} ${folder.names === "all" ? "*" : [...folder.names].toSorted().join("/")}`;
	return one.size === other.size && [...one].every(([path, folder]) => print(folder) === print(other.get(path)));
}
