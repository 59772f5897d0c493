/**
 * Replaces a file so that at every moment, also after a power cut, the old or the new one is there in full: staged in
 * the same directory, synced, renamed. Owns the names of the files beside it, which no include pattern such as `*.cfg`
 * matches. Knows nothing of what is in the file.
 */

import { constants, copyFile, link, open, readFile, realpath, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { messageOf, SolistendError } from "../errors.js";
import { isCode, syncFolder } from "../files.js";

/** The files beside the output. */
export interface OutputFiles {
	/** The file itself; where the output is a link, what it points to. */
	readonly output: string;
	/** Staged, and not yet checked. */
	readonly candidate: string;
	/** The last one that failed its check. */
	readonly rejected: string;
	/**
	 * What was there before the swap; empty when there was nothing. There from the swap until the proxy is known to have
	 * read the file that is in place, the new one or this, so that a daemon that died in between does not take it for read.
	 */
	readonly previous: string;
}

/** The mode of a file that was not there before: readable for the proxy, whoever it runs as. */
const NEW_MODE = 0o644;

export async function outputFiles(path: string): Promise<OutputFiles> {
	const output = await realpath(path).catch(() => path);
	const beside = (suffix: string) => join(dirname(output), `.${basename(output)}.${suffix}`);
	return { output, candidate: beside("candidate"), rejected: beside("rejected"), previous: beside("previous") };
}

/** The text of the output, undefined when there is none, and whether the proxy is known to have read it. */
export async function readOutput({ output, previous }: OutputFiles): Promise<{ text?: string; confirmed: boolean }> {
	const confirmed = await stat(previous).then(
		() => false,
		() => true,
	);
	try {
		return { text: await readFile(output, "utf8"), confirmed };
	} catch (error) {
		if (isCode(error, "ENOENT")) return { confirmed };
		throw explained("read", output, error);
	}
}

/** Writes the candidate, with the mode and owner of the file that it is to replace. */
export async function stage({ output, candidate }: OutputFiles, text: string): Promise<void> {
	try {
		const old = await stat(output).catch((error: unknown) => {
			if (isCode(error, "ENOENT")) return undefined;
			throw error;
		});
		if (old?.isDirectory()) throw Object.assign(new Error("is a folder"), { code: "EISDIR" });
		await rm(candidate, { force: true });
		// Exclusive: never through a link that somebody put there.
		const file = await open(candidate, "wx", NEW_MODE);
		try {
			await file.writeFile(text);
			await file.chmod(old === undefined ? NEW_MODE : old.mode & 0o7777);
			if (old !== undefined) await keepOwner(file, old);
			await file.sync();
		} finally {
			await file.close();
		}
	} catch (error) {
		throw explained("write", output, error);
	}
}

/**
 * Puts the candidate in place. With `unconfirmed`, what was there is kept as `previous` until `confirm` or `restore`;
 * without, nobody reads the file now, and whoever starts will read the new one.
 */
export async function swap(files: OutputFiles, { unconfirmed }: { unconfirmed: boolean }): Promise<void> {
	try {
		if (unconfirmed) await keepPrevious(files);
		await rename(files.candidate, files.output);
		await syncFolder(files.output);
	} catch (error) {
		throw explained("replace", files.output, error);
	}
}

/** The proxy has read the output. */
export async function confirm({ output, previous }: OutputFiles): Promise<void> {
	await rm(previous, { force: true });
	await syncFolder(output);
}

/**
 * Puts back what the proxy had before; false when there was nothing, and then the new file stays. Either way it counts as
 * not read until `confirm`.
 */
export async function restore({ output, candidate, previous }: OutputFiles): Promise<boolean> {
	try {
		if ((await stat(previous)).size === 0) return false;
		await rm(candidate, { force: true });
		await double(previous, candidate);
		await rename(candidate, output);
		// rename(2) leaves both names where they are of one file already
		await rm(candidate, { force: true });
		await syncFolder(output);
		return true;
	} catch (error) {
		if (isCode(error, "ENOENT")) return false;
		throw explained("restore", output, error);
	}
}

/** Keeps a candidate that failed, to be looked at. */
export async function reject({ candidate, rejected }: OutputFiles): Promise<void> {
	await rename(candidate, rejected);
}

/** An older one that was never confirmed stays: the file that is there now is not known to be good. */
async function keepPrevious({ output, previous }: OutputFiles): Promise<void> {
	try {
		await double(output, previous);
	} catch (error) {
		if (isCode(error, "ENOENT")) await writeFile(previous, "", { flag: "wx" }).catch(unlessThere);
		else unlessThere(error);
	}
}

/** A file under a second name, which must be free. */
async function double(file: string, name: string): Promise<void> {
	try {
		await link(file, name);
	} catch (error) {
		if (isCode(error, "EEXIST") || isCode(error, "ENOENT")) throw error;
		// No hard links here, or not to a file of somebody else (sysctl fs.protected_hardlinks).
		await copyFile(file, name, constants.COPYFILE_EXCL);
	}
}

function unlessThere(error: unknown): void {
	if (!isCode(error, "EEXIST")) throw error;
}

/** Without the privilege to give files away the daemon's user owns them; the proxy reads them all the same. */
async function keepOwner(
	file: { chown(uid: number, gid: number): Promise<void> },
	{ uid, gid }: { uid: number; gid: number },
): Promise<void> {
	if (uid === process.geteuid?.() && gid === process.getegid?.()) return;
	await file.chown(uid, gid).catch((error: unknown) => {
		if (!isCode(error, "EPERM")) throw error;
	});
}

function explained(verb: "read" | "write" | "replace" | "restore", output: string, error: unknown): SolistendError {
	const code = error instanceof Error && "code" in error ? error.code : undefined;
	const folder = dirname(output);
	return new SolistendError("proxy", `cannot ${verb} ${output}: ${reason()}`, { cause: error });

	function reason(): string {
		switch (code) {
			case "ENOENT":
				return `the folder ${folder} does not exist (create it, or change output)`;
			case "ENOTDIR":
				return `${folder} is not a folder (change output)`;
			case "EISDIR":
				return "it is a folder (name a file in it as output)";
			case "EROFS":
				return `the file system of ${folder} is read-only (mount it writable, or change output)`;
			case "EACCES":
			case "EPERM":
				return `permission denied (let the user that runs solistend write in ${folder})`;
			case "ENOSPC":
			case "EDQUOT":
				return `no space is left in ${folder} (make some)`;
			default:
				return `${messageOf(error)} (look at ${folder})`;
		}
	}
}
