/**
 * When configuration and templates are read again: watches them, and takes in one version after the other, so that no
 * change falls between two. Knows nothing of what a configuration changes.
 */

import { isDeepStrictEqual } from "node:util";
import type { Logger } from "pino";
import { messageOf } from "../errors.js";
import { formatProblem, loadConfig, templateFolders } from "./load.js";
import type { Config } from "./schema.js";
import { type FileWatch, watchFiles } from "./watch.js";

export interface ReloadsOptions {
	readonly file: string;
	/** What was read of it already. */
	readonly config: Config;
	/** Puts a version in the place of the one before; what it throws is a reason not to. */
	take(config: Config, templatesChanged: boolean): Promise<void>;
	readonly log: Logger;
}

export interface Reloads {
	/** All is there by now: what changed since the file was read is taken in, and whatever follows. */
	begin(): void;
	/** Reads all again, after what is under way. @returns why the running version stays; nothing when the new one was taken */
	request(): Promise<readonly string[]>;
	/** Resolves when what was under way is over. */
	close(): Promise<void>;
}

/** Templates may be read once this resolves: what changes from then on is told. */
export async function openReloads({ file, config, take, log }: ReloadsOptions): Promise<Reloads> {
	let isClosing = false;
	let begin = () => {};
	/** One at a time, and none before `begin`. */
	let reloading = new Promise<readonly string[]>((resolve) => {
		begin = () => resolve([]);
	});
	let watched: FileWatch | undefined;

	const refuse = (problems: readonly string[]) => {
		log.error({ problems }, "configuration not taken, the running one stays");
		return problems;
	};
	const watch = async (next: Config) => {
		const before = watched;
		const templates = [...templateFolders(next, file), ...next.proxies.map(({ template }) => template)];
		watched = await watchFiles(
			[file, ...templates.filter((path) => path.startsWith("/"))],
			(changed) => void request(changed.some((path) => path !== file)),
			(error) => log.warn({ reason: error.message }, "changes of files may go unnoticed"),
		);
		// What it has not told yet it tells now.
		await before?.close();
	};
	const reload = async (templatesChanged: boolean): Promise<readonly string[]> => {
		const loaded = await loadConfig(file, "running");
		if (!loaded.ok) return refuse(loaded.problems.map(formatProblem));
		await watch(loaded.config);
		await take(loaded.config, templatesChanged);
		log.info({ file }, "configuration taken");
		return [];
	};
	const request = (templatesChanged: boolean) => {
		if (isClosing) return reloading;
		// Whatever it fails with: the next one is to be taken all the same.
		reloading = reloading.then(() => reload(templatesChanged)).catch((error: unknown) => refuse([messageOf(error)]));
		return reloading;
	};

	await watch(config);
	// The file was read while nobody watched it.
	const now = await loadConfig(file, "running");
	if (!now.ok || !isDeepStrictEqual(now.config, config)) void request(true);
	return {
		begin,
		request: () => request(true),
		async close() {
			isClosing = true;
			await watched?.close();
			await reloading;
		},
	};
}
