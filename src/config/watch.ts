/**
 * Tells when files and folders change. Owns the watch and the gathering of events; knows nothing of what is in the
 * files.
 *
 * Notifications are hints, the file system is the truth. What is watched are the folders on the way to each path, by
 * one inotify watch each: a folder's watch sees its files written, replaced, removed, made and its links switched, where
 * a watch on a file would stay with an inode that nobody names any more. After a hint the paths are followed anew, and
 * only what leads to something else than before is reported.
 */

import type { FSWatcher } from "chokidar";
import { messageOf, SolistendError } from "../errors.js";
import { type Trace, trace } from "./trace.js";

/** Hints are gathered for so long. */
const GATHER_MS = 100;

/** A running watch. It does not keep the process alive. */
export interface FileWatch {
	/** Ends the watch; once resolved, nothing is watched and nothing is called any more. */
	close(): Promise<void>;
}

/**
 * Watches files and folders (of a folder, its own files), which need not exist yet. Resolves when the watch is ready;
 * changes since the call are reported, so begin to watch first and read afterwards.
 *
 * @param paths - as they are to be named in `onChange`
 * @param onChange - called with the paths that changed, at most every 100 ms
 * @param onError - called when a folder cannot be watched (no permission, no inotify watches left), while all others
 *   still are; a warning of the process unless given
 */
export async function watchFiles(
	paths: readonly string[],
	onChange: (changed: readonly string[]) => void,
	onError: (error: SolistendError) => void = (error) => process.emitWarning(error),
): Promise<FileWatch> {
	// Loaded here: most commands read their configuration once and never watch it.
	const chokidar = await import("chokidar");
	let watched: ReadonlyMap<string, string> = new Map();
	let watcher: FSWatcher | undefined;
	let timer: NodeJS.Timeout | undefined;
	let closed = false;

	const hint = (): void => {
		if (!closed) timer ??= setTimeout(look, GATHER_MS);
	};
	const fail = (what: string, error: unknown): void =>
		onError(new SolistendError("config", `${what}: ${messageOf(error)}`, { cause: error }));
	const unwatchable = (error: unknown): void =>
		fail("cannot watch a folder (let solistend's user read it, or raise fs.inotify.max_user_watches)", error);

	/** Watches exactly these folders. A new watch each time: one that is open stays with the folder that was there. */
	const watchFolders = async (folders: ReadonlyMap<string, string>): Promise<void> => {
		await watcher?.close();
		const next = chokidar.watch([...folders.keys()], {
			// Not persistent: chokidar shares persistent watches by path, even when the folder is another by now.
			persistent: false,
			ignoreInitial: true,
			followSymlinks: false,
			depth: 0,
			atomic: false,
			ignored: (path) => !folders.has(path),
		});
		// Raw events, since chokidar's own are thinned out by time and by what it remembers of each file.
		next.on("raw", hint).on("error", unwatchable);
		watcher = next;
		watched = folders;
		await new Promise<void>((resolve) => next.once("ready", resolve).once("error", () => resolve()));
	};

	/** What is there now, once the folders on the way are watched: nothing after it can be missed. */
	const follow = async (): Promise<Trace> => {
		let now = await trace(paths);
		while (!closed && !same(now.folders, watched)) {
			await watchFolders(now.folders);
			now = await trace(paths);
		}
		return now;
	};

	let { contents } = await trace(paths);
	let looking: Promise<void> = Promise.resolve();
	const look = (): void => {
		timer = undefined;
		looking = looking
			.then(async () => {
				const before = contents;
				({ contents } = await follow());
				const changed = paths.filter((path) => contents.get(path) !== before.get(path));
				if (changed.length > 0 && !closed) onChange(changed);
			})
			.catch((error: unknown) => fail(`cannot take in a change of ${paths.join(", ")}`, error));
	};

	await follow();
	hint();
	return {
		async close() {
			closed = true;
			clearTimeout(timer);
			await looking;
			await watcher?.close();
		},
	};
}

function same(one: ReadonlyMap<string, string>, other: ReadonlyMap<string, string>): boolean {
	return one.size === other.size && [...one].every(([path, identity]) => other.get(path) === identity);
}
