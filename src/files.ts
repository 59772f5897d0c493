/** What writing a file for good takes, whatever is in it. */

import { open } from "node:fs/promises";
import { dirname } from "node:path";

/** A rename is only sure to survive a power cut once its folder is synced. */
export async function syncFolder(file: string): Promise<void> {
	const folder = await open(dirname(file), "r");
	try {
		await folder.sync();
	} finally {
		await folder.close();
	}
}

/** Whether a system call failed with this code, such as `ENOENT`. */
export function isCode(error: unknown, code: string): boolean {
	return error instanceof Error && "code" in error && error.code === code;
}
