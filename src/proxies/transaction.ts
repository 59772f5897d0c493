/**
 * A new file for a proxy, or none: stage → check → swap → reload → verify. What fails its check never replaces the live
 * file; after a failed reload or verification the previous file is back. Knows nothing of what is in the file, nor how
 * its proxy is reloaded.
 */

import { rm } from "node:fs/promises";
import { messageOf, SolistendError } from "../errors.js";
import { confirm, type OutputFiles, outputFiles, reject, restore, stage, swap } from "./atomic-write.js";
import { type Outcome, type StageName, UNTOUCHED } from "./driver.js";

export interface Transaction {
	readonly output: string;
	/** The new text; absent when the file is right already and the proxy has not read it. */
	readonly text?: string | undefined;
	/** Asks the proxy's own tool about the staged file. */
	readonly check?: ((candidate: string, signal: AbortSignal) => Promise<void>) | undefined;
	/** Makes the proxy read the file; absent when it does not run, and reads it when it starts. */
	readonly reload?: ((output: string, signal: AbortSignal) => Promise<void>) | undefined;
	/** Resolves once the proxy serves what the file says. */
	readonly verify?: (signal: AbortSignal) => Promise<void>;
	/** Without a reload: the proxy may be about to start with the old file, so the new one counts as not read. */
	readonly unconfirmed?: boolean;
}

/** Carries a transaction out; rejects only when the signal is aborted. */
export type Transact = (transaction: Transaction, signal: AbortSignal) => Promise<Outcome>;

type FileStage = Exclude<StageName, "runtime">;

/** How long a reload that has begun may still take once the daemon is to stop; a service manager waits much longer. */
const FINISH_MS = 4000;

const AFTER_SWAP: readonly FileStage[] = ["reload", "verify"];

/**
 * Rejects only when the signal is aborted. Before the swap it ends at once, and nothing has changed; after it the
 * reload is finished or taken back within 4 s, and only where that fails the new file stays, to be reloaded next time.
 */
export async function runTransaction(transaction: Transaction, signal: AbortSignal): Promise<Outcome> {
	const finishing = abortedLater(signal, FINISH_MS);
	try {
		return await transact(transaction, signal, finishing.signal);
	} finally {
		finishing.close();
	}
}

/** @param late what bounds all after the swap */
async function transact(transaction: Transaction, signal: AbortSignal, late: AbortSignal): Promise<Outcome> {
	const { text, check, reload, verify, unconfirmed = false } = transaction;
	const files = await outputFiles(transaction.output);
	const stagesMs: Partial<Record<StageName, number>> = {};
	let current: FileStage = "stage";
	const timed = async (name: FileStage, work: () => Promise<void>) => {
		current = name;
		const beginMs = performance.now();
		try {
			await work();
		} finally {
			stagesMs[name] = Math.round((performance.now() - beginMs) * 10) / 10;
		}
	};
	try {
		if (text !== undefined) {
			await timed("stage", () => stage(files, text));
			if (check !== undefined) await timed("check", () => check(files.candidate, signal));
			signal.throwIfAborted();
			await timed("swap", () => swap(files, { unconfirmed: unconfirmed || reload !== undefined }));
		}
		if (reload !== undefined) {
			if (text === undefined) signal.throwIfAborted();
			await timed("reload", () => reload(files.output, late));
			if (verify !== undefined) await timed("verify", () => verify(late));
			await confirm(files);
		}
		return { kind: "applied", stagesMs };
	} catch (error) {
		if ((AFTER_SWAP.includes(current) ? late : signal).aborted) {
			await rm(files.candidate, { force: true });
			throw error;
		}
		const { why, serving } = await recover(current, files, transaction, late);
		const message = messageOf(error).replaceAll(files.candidate, files.rejected) + why;
		const code = error instanceof SolistendError ? error.code : "proxy";
		return {
			kind: "failed",
			stage: current,
			error: new SolistendError(code, message, { cause: error }),
			serving,
			stagesMs,
		};
	}
}

/** A signal that is aborted, with the same reason, so long after another one was. */
function abortedLater(signal: AbortSignal, afterMs: number): { readonly signal: AbortSignal; close(): void } {
	const later = new AbortController();
	let timer: NodeJS.Timeout | undefined;
	const onAbort = () => {
		timer = setTimeout(() => later.abort(signal.reason), afterMs);
	};
	if (signal.aborted) onAbort();
	else signal.addEventListener("abort", onAbort, { once: true });
	return {
		signal: later.signal,
		close() {
			signal.removeEventListener("abort", onAbort);
			clearTimeout(timer);
		},
	};
}

interface Recovered {
	/** What to add to the error. */
	readonly why: string;
	readonly serving: string;
}

/** Puts everything back after a stage failed. */
async function recover(
	failed: FileStage,
	files: OutputFiles,
	{ reload }: Transaction,
	signal: AbortSignal,
): Promise<Recovered> {
	switch (failed) {
		case "stage":
		case "swap":
			await rm(files.candidate, { force: true }).catch(() => {});
			return { why: "", serving: UNTOUCHED };
		case "check":
			return { why: await kept(files), serving: UNTOUCHED };
		case "reload":
		case "verify":
			return reloadPrevious(files, reload, signal);
		default:
			return failed satisfies never;
	}
}

async function kept(files: OutputFiles): Promise<string> {
	try {
		await reject(files);
		return ` (the rejected file is kept as ${files.rejected})`;
	} catch (error) {
		return ` (the rejected file could not be kept: ${messageOf(error)})`;
	}
}

async function reloadPrevious(
	files: OutputFiles,
	reload: Transaction["reload"],
	signal: AbortSignal,
): Promise<Recovered> {
	try {
		if (!(await restore(files))) {
			return { why: " (there is no previous file to go back to)", serving: "what it had before the new file" };
		}
	} catch (error) {
		return { why: `; ${messageOf(error)}`, serving: "what it had before the new file" };
	}
	try {
		await reload?.(files.output, signal);
		await confirm(files);
		return { why: "; the previous file is back", serving: "the previous configuration, loaded again" };
	} catch (error) {
		signal.throwIfAborted();
		return {
			why: `; the previous file is back, but loading it failed too: ${messageOf(error)}`,
			serving: "what it had before the new file",
		};
	}
}
