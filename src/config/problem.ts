/** What is wrong in a configuration, and how it is written down for a person. Pure. */

import { printable } from "./wording.js";

/** Something wrong, with its place: lines and columns count from 1, columns in UTF-16 units as editors do. */
export interface Problem {
	readonly file: string;
	readonly line: number;
	readonly column: number;
	/** The key, such as `services.web.match.port[1]`; empty when it is the file as a whole. */
	readonly path: string;
	/** What is wrong and what is allowed. */
	readonly message: string;
}

/** Something wrong at a key, before anyone looked up where that key stands. */
export interface Finding {
	readonly path: readonly PropertyKey[];
	/** Whether the key itself is wrong, or the value under it. */
	readonly on: "key" | "value";
	readonly message: string;
}

/** A path as people write it: `services.web.match.port[1]`; keys of other characters are quoted: `services["a b"]`. */
export function formatPath(path: readonly PropertyKey[]): string {
	let text = "";
	for (const step of path) {
		if (typeof step === "number") text += `[${step}]`;
		else if (/^[\w-]{1,63}$/.test(String(step))) text += text === "" ? String(step) : `.${String(step)}`;
		else text += `["${printable(String(step))}"]`;
	}
	return text;
}

/** A problem on one line: `file:line:column: path: message`, without the path for the file as a whole. */
export function formatProblem({ file, line, column, path, message }: Problem): string {
	return [`${file}:${line}:${column}`, ...(path === "" ? [] : [path]), message].join(": ");
}
