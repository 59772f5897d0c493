/** Whether a path is root's alone, from the root folder on: then what it leads to is root's word. Changes nothing. */

import { lstat, realpath } from "node:fs/promises";
import { dirname } from "node:path";
import { SolistendError } from "../../errors.js";
import { isCode } from "../../files.js";

const GROUP_OR_OTHERS_WRITE = 0o022;
const STICKY = 0o1000;

/**
 * Checks a file and every folder on the way to it, as it is written and as links lead there; what is not there yet is fine.
 *
 * @param what it is, for the error
 * @throws SolistendError when somebody else than root owns a part of it, or may write there.
 */
export async function requireRootOnly(path: string, what: string): Promise<void> {
	const real = await realpath(path).catch(async () => `${await realpath(dirname(path)).catch(() => dirname(path))}/`);
	for (const part of new Set([...partsOf(path), ...partsOf(real)])) {
		const found = await lstat(part).catch((error: unknown) => {
			// Nobody else can make it, where the folder that it would be in is root's alone.
			if (isCode(error, "ENOENT")) return undefined;
			throw new SolistendError("config", `cannot look at ${part} (make it, or change ${what})`, { cause: error });
		});
		if (found === undefined) continue;
		// In a sticky folder nobody renames what is root's; a link's mode says nothing.
		const isSticky = found.isDirectory() && (found.mode & STICKY) !== 0;
		const isOpen = (found.mode & GROUP_OR_OTHERS_WRITE) !== 0 && !isSticky && !found.isSymbolicLink();
		if (found.uid === 0 && !isOpen) continue;
		const why = found.uid === 0 ? "others than root may write" : `user ${found.uid} owns`;
		throw new SolistendError(
			"privilege",
			`${what} ${path} is not root's alone: ${why} ${part} (chown root ${part} and chmod go-w ${part}, or change the path)`,
		);
	}
}

/** `/a/b/c` is in `/a/b`, `/a` and `/`. */
function partsOf(path: string): string[] {
	const parts: string[] = [];
	for (let part = path.replace(/\/+$/, "") || "/"; ; part = dirname(part)) {
		parts.push(part);
		if (part === dirname(part)) return parts;
	}
}
