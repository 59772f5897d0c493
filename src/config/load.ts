/**
 * The configuration file: its text becomes a configuration, or every problem in it with its place. Owns the order of
 * the steps; knows nothing of who asks, and keeps nothing.
 */

import { readFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { messageOf } from "../errors.js";
import { packaged } from "../root.js";
import { crossChecks } from "./cross-checks.js";
import { findingsOf } from "./issues.js";
import { linesOf } from "./places.js";
import { formatPath, type Problem } from "./problem.js";
import { type Config, configSchema } from "./schema.js";
import { readSource } from "./source.js";
import { wording } from "./wording.js";

export { formatProblem, type Problem } from "./problem.js";

/** A configuration, or all that keeps it from being one. */
export type Loaded =
	| { readonly ok: true; readonly config: Config; readonly file: string }
	| { readonly ok: false; readonly file: string; readonly problems: readonly Problem[] };

/**
 * Reads a configuration from its text. Pure, and never throws: every problem is reported at once, in the order in which
 * they stand in the file. An empty text is a configuration with every default.
 */
export function parseConfig(text: string, file: string): Loaded {
	const source = readSource(text);
	const parsed = configSchema.safeParse(source.value, { error: wording, reportInput: true });
	// Where the YAML is too broken to have a value, its faults say it all.
	const findings =
		source.value === undefined
			? []
			: [...(parsed.success ? [] : findingsOf(configSchema, parsed.error.issues)), ...crossChecks(source.value)];
	if (parsed.success && findings.length === 0 && source.faults.length === 0) {
		return { ok: true, config: parsed.data, file };
	}
	const placeOf = linesOf(text);
	const problems = [
		...source.faults.map(({ offset, message }): Problem => ({ file, ...placeOf(offset), path: "", message })),
		...findings.map(
			(finding): Problem => ({
				file,
				...placeOf(source.offsetOf(finding)),
				path: formatPath(finding.path),
				message: finding.message,
			}),
		),
	];
	return { ok: false, file, problems: problems.toSorted((a, b) => a.line - b.line || a.column - b.column) };
}

/**
 * Reads the configuration file. One that cannot be read is a problem too, at its first line; never rejects.
 *
 * @param place - `running`: it is to replace one that runs. A file without a byte in it is no configuration then, but one
 *   that somebody is about to write.
 */
export async function loadConfig(file: string, place: "first" | "running" = "first"): Promise<Loaded> {
	let text: string;
	try {
		text = await readFile(file, "utf8");
	} catch (error) {
		return refused(file, unreadable(error));
	}
	if (text === "" && place === "running") return refused(file, EMPTY);
	return parseConfig(text, file);
}

const EMPTY = "is empty: is it being written? (for a configuration with nothing in it, write {})";

const refused = (file: string, message: string): Loaded => ({
	ok: false,
	file,
	problems: [{ file, line: 1, column: 1, path: "", message }],
});

function unreadable(error: unknown): string {
	const code = error instanceof Error && "code" in error ? error.code : undefined;
	switch (code) {
		case "ENOENT":
		case "ENOTDIR":
			return "cannot be read: there is no such file (create it, or name another with --config)";
		case "EACCES":
		case "EPERM":
			return "cannot be read: permission denied (let the user that runs solistend read it, and enter its folder)";
		case "EISDIR":
			return "cannot be read: it is a folder (name the file in it)";
		default:
			return `cannot be read: ${messageOf(error)} (name another file with --config)`;
	}
}

/** The folders in which templates are looked for, the first one first: your own, then the packaged ones. */
export function templateFolders(config: Config, file: string): string[] {
	const own = config.templates ?? join(dirname(resolve(file)), "templates");
	return [own, packaged("templates")];
}
