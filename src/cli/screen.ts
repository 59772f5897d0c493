/** Lines on a terminal of a size: cut to its width, as many as fit, and a last line on what is beyond. Pure but for colour. */

import { stripVTControlCharacters } from "node:util";
import { colour } from "./output.js";

export interface Size {
	readonly columns: number;
	readonly rows: number;
}

export interface Screen {
	/** What is written to the terminal: over what is there, without a flicker in between. */
	readonly text: string;
	/** The first line that is shown; as asked, or less where that is beyond the end. */
	readonly offset: number;
}

/** How a colour begins. */
const ESCAPE = "\u001b[";
const HOME = "\u001b[H";
const TO_LINE_END = "\u001b[K";
const TO_SCREEN_END = "\u001b[J";

/** @param trouble why what is shown is not of now; undefined: it is */
export function screenOf(lines: readonly string[], { columns, rows }: Size, from: number, trouble?: string): Screen {
	const room = Math.max(1, rows - 1);
	const offset = Math.max(0, Math.min(from, lines.length - room));
	const shown = lines.slice(offset, offset + room).map((line) => cut(line, columns));
	const below = lines.length - offset - shown.length;
	const keys = `q quits${lines.length > room ? `, j and k scroll${below > 0 ? ` (${below} more lines)` : ""}` : ""}`;
	const foot = trouble === undefined ? colour("dim", cut(keys, columns)) : colour("red", cut(trouble, columns));
	const blank = Array.from({ length: room - shown.length }, () => "");
	const text = [...shown, ...blank, foot].map((line) => `${line}${TO_LINE_END}`).join("\r\n");
	return { text: `${HOME}${text}${TO_SCREEN_END}`, offset };
}

/** As much of a line as fits; colours take no room, and end with it. */
export function cut(line: string, columns: number): string {
	if (stripVTControlCharacters(line).length <= columns) return line;
	let room = columns - 1;
	const take = (text: string) => {
		const taken = text.slice(0, room);
		room -= taken.length;
		return taken;
	};
	const [first = "", ...coloured] = line.split(ESCAPE);
	const plain = take(first);
	const shown = coloured.map((part) => {
		const end = part.indexOf("m") + 1;
		return `${ESCAPE}${part.slice(0, end)}${take(part.slice(end))}`;
	});
	return `${plain}${shown.join("")}…${shown.length > 0 ? `${ESCAPE}0m` : ""}`;
}
