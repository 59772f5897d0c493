/** Errors of templates, with the file, the line and the column at which a person has to look. */

import { messageOf, SolistendError } from "../errors.js";

/** A place in a template; Handlebars counts lines from 1 and columns from 0. */
export interface Place {
	/** The file. */
	readonly source: string;
	readonly start: { readonly line: number; readonly column: number };
}

/** `message` is a noun phrase with the mend in parentheses. */
export function templateError({ source, start }: Place, message: string, cause?: unknown): SolistendError {
	return new SolistendError(
		"config",
		`cannot use template ${source}:${start.line}:${start.column + 1}: ${message}`,
		cause === undefined ? undefined : { cause },
	);
}

/** What the parser, the compiler or the runtime of Handlebars threw for a file. One that has its place stays. */
export function fromHandlebars(file: string, error: unknown): SolistendError {
	if (error instanceof SolistendError) return error;
	return (
		syntaxError(file, error) ??
		placedError(file, error) ??
		new SolistendError("config", `cannot use template ${file}: ${messageOf(error)}`, { cause: error })
	);
}

/** What people are told for the parser's names of tokens. */
const TOKENS: Readonly<Record<string, string>> = {
	EOF: "unexpected end of the file",
	CLOSE: 'unexpected "}}"',
	CLOSE_UNESCAPED: 'unexpected "}}}", a brace behind a tag needs a space before it',
	INVALID: 'a name or "}}" is missing',
};

/** The parser's errors: a line, an excerpt with a marker below it, and what it expected, in names of tokens. */
function syntaxError(file: string, error: unknown): SolistendError | undefined {
	const match = /^Parse error on line (\d+):\n(.*)\n-*\^\n.*got '(\w+)'$/s.exec(messageOf(error));
	if (match === null) return undefined;
	const [, line, excerpt = "", token = ""] = match;
	const what = TOKENS[token] ?? `unexpected ${token}`;
	return new SolistendError(
		"config",
		`cannot use template ${file}:${line}: syntax error near "${excerpt.trim()}": ${what} (is a block or a tag not closed?)`,
		{ cause: error },
	);
}

/** Handlebars' own exceptions mostly end in their place: `if doesn't match each - 3:5`. Undefined for all others. */
export function placedError(file: string, error: unknown): SolistendError | undefined {
	const match = /^(.*) - (\d+):(\d+)$/s.exec(messageOf(error));
	if (match === null) return undefined;
	const [, said = "", line, column] = match;
	// Of `@data`; all other names are looked up by the strict helper.
	const message = said.replace(/^"(.*)" not defined in .*$/s, 'unknown name "@$1"');
	return templateError(
		{ source: file, start: { line: Number(line), column: Number(column) } },
		`${message} (mend the template)`,
		error,
	);
}
