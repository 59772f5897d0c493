/** How V8 looks for garbage, where the entry has it look often to keep the daemon small. Knows nothing of what is in memory. */

import { setFlagsFromString } from "node:v8";

const FLAG = "optimize-for-size";
const isSmall = process.execArgv.includes(`--${FLAG}`);

/**
 * For while much is taken in that all stays: to look through all of it again and again takes longer than to take it in.
 * V8 asks for this option anew each time that it plans how far the heap may grow.
 */
export function growFreely(isGrowing: boolean): void {
	if (isSmall) setFlagsFromString(`--${isGrowing ? "no-" : ""}${FLAG}`);
}
