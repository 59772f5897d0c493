/**
 * The locks of all outputs that are written. One that can't be had now for another reason than another daemon (its
 * folder is gone, the disk is full) is tried again before each write. Knows nothing of how outputs are written.
 */

import { SolistendError } from "../errors.js";
import { type Driver, UNTOUCHED } from "./driver.js";
import { type FileLock, lockOutput } from "./output-lock.js";

export interface OutputLocks {
	/**
	 * Takes the locks that are missing.
	 * @throws SolistendError when another daemon has one; then it holds what it held before.
	 */
	take(outputs: readonly string[]): Promise<void>;
	/** Lets go of all others. */
	keep(outputs: readonly string[]): Promise<void>;
	/** The driver of an output, which writes only under its lock. */
	guard(output: string, driver: Driver): Driver;
	close(): Promise<void>;
}

export function createOutputLocks(): OutputLocks {
	const held = new Map<string, FileLock>();

	const take = async (output: string): Promise<SolistendError | undefined> => {
		if (held.has(output)) return undefined;
		try {
			held.set(output, await lockOutput(output));
			return undefined;
		} catch (error) {
			// Whatever else is in the way of a lock is in the way of the write, which tells it.
			return error instanceof SolistendError ? error : undefined;
		}
	};

	const release = async (outputs: readonly string[]) => {
		for (const output of outputs) {
			await held.get(output)?.close();
			held.delete(output);
		}
	};

	return {
		async take(outputs) {
			const before = new Set(held.keys());
			for (const output of outputs) {
				const trouble = await take(output);
				if (trouble === undefined) continue;
				await release([...held.keys()].filter((other) => !before.has(other)));
				throw trouble;
			}
		},
		keep: (outputs) => release([...held.keys()].filter((output) => !outputs.includes(output))),
		guard: (output, driver) => ({
			...driver,
			async run(steps, signal) {
				const error = await take(output);
				if (error !== undefined) return { kind: "failed", stage: "stage", error, serving: UNTOUCHED, stagesMs: {} };
				return driver.run(steps, signal);
			},
		}),
		close: () => release([...held.keys()]),
	};
}
