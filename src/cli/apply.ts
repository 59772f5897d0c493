/** `solistend apply`: root's side of `apply: unit`, as solistend-apply@.service runs it. Needs no daemon. */

import { SolistendError } from "../errors.js";
import { carryOut } from "../proxies/apply/carry-out.js";
import { requireConfig } from "./config.js";
import { printLine } from "./output.js";

export interface ApplyOptions {
	readonly config: string;
	/** Name of the proxy. */
	readonly proxy: string;
}

/** Exit code 1 when the request was refused, or failed: the daemon is told why, and so is whoever reads the journal. */
export async function apply({ config: file, proxy: name }: ApplyOptions, signal: AbortSignal): Promise<number> {
	if (process.geteuid?.() !== 0) {
		throw new SolistendError("privilege", `cannot apply proxy ${name}: that is for root (solistend-apply@.service)`);
	}
	const { config } = await requireConfig(file);
	const outcome = await carryOut({ file, config, name, signal });
	if (outcome.kind === "failed") throw outcome.error;
	printLine(`${name}: applied`);
	return 0;
}
