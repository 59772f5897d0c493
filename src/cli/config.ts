/** The configuration for a command: loaded, or an error that lists every problem. */

import { formatProblem, type Loaded, loadConfig } from "../config/load.js";
import { SolistendError } from "../errors.js";

export const DEFAULT_CONFIG = "/etc/solistend/solistend.yaml";

/** @throws SolistendError with all problems, one a line, each with its place. */
export async function requireConfig(file: string): Promise<Extract<Loaded, { ok: true }>> {
	const loaded = await loadConfig(file);
	if (loaded.ok) return loaded;
	throw new SolistendError("config", loaded.problems.map(formatProblem).join("\n"));
}
