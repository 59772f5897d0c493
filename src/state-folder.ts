/**
 * The state folder, which one daemon at a time may have: another one on this host, with other services, would write over what
 * this one keeps, and take what it reads for its own. Never fatal: the second goes on without. Knows nothing of what is kept.
 */

import type { Logger } from "pino";
import { SolistendError } from "./errors.js";
import { type FileLock, lockFile } from "./proxies/output-lock.js";
import { loadState, NOTHING, type Remembered, saveState, stateFile } from "./state.js";

export interface StateFolder {
	/** What was kept; nothing where another daemon has the folder, which is told in the log. */
	load(folder: string): Promise<Remembered>;
	/** Why it could not be written, as a clause with its mend; undefined when it is. The folder may be another one each time. */
	save(folder: string, remembered: Remembered): Promise<string | undefined>;
	close(): Promise<void>;
}

export function createStateFolder(log: Logger): StateFolder {
	let held: { readonly folder: string; readonly lock: FileLock } | undefined;

	const release = async () => {
		await held?.lock.close();
		held = undefined;
	};

	/** Why it is not ours; undefined as well where there can be no lock: whatever is in its way is in the way of the write. */
	const take = async (folder: string): Promise<string | undefined> => {
		if (held?.folder === folder) return undefined;
		await release();
		try {
			held = { folder, lock: await lockFile(stateFile(folder), (owner) => isTaken(folder, owner)) };
			return undefined;
		} catch (error) {
			return error instanceof SolistendError ? error.message : undefined;
		}
	};

	return {
		async load(folder) {
			const reason = await take(folder);
			if (reason === undefined) return loadState(folder, log);
			log.warn({ reason }, "what is held by hand, and services by label, last until the daemon ends");
			return NOTHING;
		},
		async save(folder, remembered) {
			return (await take(folder)) ?? saveState(folder, remembered);
		},
		close: release,
	};
}

/** @param owner its process id; empty when it is not known */
function isTaken(folder: string, owner: string): SolistendError {
	const who = `another solistend${owner ? ` (pid ${owner})` : ""}`;
	return new SolistendError("daemon", `${folder} is in use by ${who} (name another folder as state)`);
}
