/**
 * One daemon per output, or other file: a lock by flock(2) on a file beside it, which holds its owner's process id. The
 * kernel lets go of it when the owner dies, however that was. Knows nothing of proxies.
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { constants, type FileHandle, open, readFile, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { SolistendError } from "../errors.js";
import { isCode } from "../files.js";
import { outputFiles } from "./atomic-write.js";

export interface FileLock {
	/** Lets go. */
	close(): Promise<void>;
}

const { O_RDWR, O_CREAT, O_NOFOLLOW } = constants;

/** Whoever can open it can lock it: nobody else may. */
const MODE = 0o600;

/** How flock(1) exits when somebody else has the lock. */
const IS_LOCKED = 1;

/**
 * Takes the lock of an output.
 * @throws SolistendError when another process has it; what the file system says when there can be none.
 */
export async function lockOutput(path: string): Promise<FileLock> {
	const { output } = await outputFiles(path);
	return lockFile(output, (owner) => inUse(path, owner));
}

/**
 * Takes the lock of a file, which need not be there.
 *
 * @param inUse the error when another process has it, whose id it is given; empty when that is not known
 * @throws that error; what the file system says when there can be none.
 */
export async function lockFile(path: string, inUse: (owner: string) => SolistendError): Promise<FileLock> {
	// Hidden, as all files beside an output: no include pattern matches it.
	const name = join(dirname(path), `.${basename(path)}.lock`);
	for (;;) {
		const file = await open(name, O_RDWR | O_CREAT | O_NOFOLLOW, MODE);
		try {
			if (!(await tryLock(file))) throw inUse((await readFile(name, "utf8").catch(() => "")).trim());
			if (await isStill(file, name)) {
				await file.truncate();
				await file.write(`${process.pid}\n`, 0);
				return lockBy(file, name);
			}
		} catch (error) {
			await file.close();
			throw error;
		}
		// Its last owner took it away, after it was opened here.
		await file.close();
	}
}

/**
 * Locks an open file, now or not at all; false when somebody else has it. The lock is the open file's, not the process's:
 * it stays with the one that goes on holding it open.
 */
async function tryLock({ fd }: FileHandle): Promise<boolean> {
	const flock = spawn("flock", ["-n", "3"], { stdio: ["ignore", "ignore", "ignore", fd] });
	const [code] = await once(flock, "exit").catch((error: unknown) => {
		if (!isCode(error, "ENOENT")) throw error;
		throw new SolistendError("unsupported", "cannot run flock: it is not installed (install util-linux)");
	});
	if (code === 0) return true;
	if (code === IS_LOCKED) return false;
	throw new Error(`flock exited with code ${code}`);
}

/** Whether an open file is the one that has this name. */
async function isStill(file: FileHandle, name: string): Promise<boolean> {
	const own = await file.stat({ bigint: true });
	try {
		const named = await stat(name, { bigint: true });
		return own.ino === named.ino && own.dev === named.dev;
	} catch (error) {
		if (isCode(error, "ENOENT")) return false;
		throw error;
	}
}

function lockBy(file: FileHandle, name: string): FileLock {
	return {
		async close() {
			// The name first: whoever opens it from now on makes a file of its own. In a folder that is gone it is gone, too.
			if (await isStill(file, name).catch(() => false)) await rm(name, { force: true });
			await file.close();
		},
	};
}

/** @param owner what the file says; empty when it says nothing yet */
function inUse(output: string, owner: string): SolistendError {
	const isOwn = owner === String(process.pid);
	const who = isOwn ? "another proxy of this configuration" : `another solistend${owner ? ` (pid ${owner})` : ""}`;
	const mend = isOwn ? "give each an output of its own" : "stop that one, or give this proxy an output of its own";
	return new SolistendError("proxy", `cannot use output ${output}: ${who} writes it (${mend})`);
}
