/** Tables and lines that fit a terminal: the last column goes on in the next line, under where it began. Pure but for colour. */

import { type Cell, colour, table } from "./output.js";

/** Narrower than this nothing is worth breaking at. */
const MIN_WIDTH = 24;

/** A text in lines of at most `width` characters, broken between words; a longer word has a line of its own. */
export function wrapText(text: string, width: number): string[] {
	const lines: string[] = [];
	let line = "";
	for (const word of text.split(" ")) {
		if (line !== "" && line.length + 1 + word.length > width) {
			lines.push(line);
			line = word;
		} else line = line === "" ? word : `${line} ${word}`;
	}
	return [...lines, line];
}

/**
 * A whole table with its head.
 *
 * @param indent columns before it
 * @param width columns of the terminal; undefined: lines are as long as they are
 */
export function wrappedTable(
	titles: Parameters<typeof table>[0],
	rows: readonly (readonly Cell[])[],
	{ indent = 0, width }: { readonly indent?: number; readonly width: number | undefined },
): string[] {
	const last = titles.length - 1;
	// how far the last column is from the edge: as far as the head of a table without it
	const [before = ""] = table(
		[...titles.slice(0, last), "|"],
		rows.map((row) => row.slice(0, last)),
	);
	const room = Math.max(MIN_WIDTH, (width ?? Number.POSITIVE_INFINITY) - indent - (before.length - 1));
	const broken = rows.flatMap((row): (readonly Cell[])[] => {
		const cell = row[last] ?? "";
		const [first = "", ...rest] = wrapText(textOf(cell), room).map((text) => inColourOf(cell, text));
		return [[...row.slice(0, last), first], ...rest.map((more) => [...Array(last).fill(""), more])];
	});
	const [head = "", ...lines] = table(titles, broken);
	const margin = " ".repeat(indent);
	return [colour("bold", head), ...lines].map((line) => margin + line);
}

/** Lines of one text, each indented. */
export function wrappedLines(
	cell: Cell,
	{ indent, width }: { readonly indent: number; readonly width: number | undefined },
): string[] {
	const room = Math.max(MIN_WIDTH, (width ?? Number.POSITIVE_INFINITY) - indent);
	return wrapText(textOf(cell), room).map((text) => {
		const line = inColourOf(cell, text);
		return " ".repeat(indent) + (typeof line === "string" ? line : colour(line.colour, line.text));
	});
}

const textOf = (cell: Cell): string => (typeof cell === "string" ? cell : cell.text);

const inColourOf = (cell: Cell, text: string): Cell => (typeof cell === "string" ? text : { ...cell, text });
