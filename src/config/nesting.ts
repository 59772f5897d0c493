/**
 * How deep a YAML text nests, found out without recursion. The parser recurses once a level, and a few kilobytes of
 * brackets would end the whole process there, past any `catch`. Pure.
 */

import { CST, Lexer } from "yaml";

/** Levels that a configuration may have; the deepest key of the schema is at the sixth. */
const LEVELS_MAX = 64;

/** Where the text nests deeper than any configuration does, as an offset; undefined when it does not. */
export function tooDeepAt(text: string): number | undefined {
	const columns: number[] = [];
	let flows = 0;
	let offset = 0;
	let lineStart = 0;
	let first = true;
	for (const lexeme of new Lexer().lex(text)) {
		const type = CST.tokenType(lexeme);
		// These three are the lexer's own marks; they stand for no character of the text.
		if (type === "doc-mode" || type === "scalar" || type === "flow-error-end") continue;
		if (type === "flow-map-start" || type === "flow-seq-start") flows++;
		if (type === "flow-map-end" || type === "flow-seq-end") flows--;
		const opensBlock = type === "seq-item-ind" || type === "explicit-key-ind";
		const content = type !== "newline" && type !== "space" && type !== "comment";
		if (opensBlock || (first && content)) {
			const column = offset - lineStart;
			while ((columns.at(-1) ?? -1) >= column) columns.pop();
			columns.push(column);
		}
		if (columns.length + flows > LEVELS_MAX) return offset;
		if (content) first = false;
		offset += lexeme.length;
		if (lexeme.endsWith("\n")) {
			lineStart = offset;
			first = true;
		}
	}
	return undefined;
}
