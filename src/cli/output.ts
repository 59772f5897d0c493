/** How commands print: tables whose columns line up, colour only for a person at a terminal. */

/** Results go to stdout, one line at a time. */
export function printLine(line: string): void {
	process.stdout.write(`${line}\n`);
}

/** Everything else goes to stderr. */
export function printNotice(line: string): void {
	process.stderr.write(`${line}\n`);
}

export interface Column {
	readonly title: string;
	/** Room for it; longer values push the rest of their line to the right, nothing is cut. */
	readonly width: number;
	readonly align?: "left" | "right";
}

/** A value of a table, coloured where {@link colour} does. */
export type Cell = string | { readonly text: string; readonly colour: Colour };

const textOf = (cell: Cell): string => (typeof cell === "string" ? cell : cell.text);

/** One line of a table. */
export function tableLine(columns: readonly Column[], values: readonly Cell[]): string {
	const last = values.findLastIndex((cell) => textOf(cell) !== "");
	return columns
		.slice(0, last + 1)
		.map(({ width, align }, i) => {
			const cell = values[i] ?? "";
			const text = textOf(cell);
			const shown = typeof cell === "string" ? text : colour(cell.colour, text);
			const room = " ".repeat(Math.max(0, width - text.length));
			if (align === "right") return room + shown;
			return i === last ? shown : shown + room;
		})
		.join("  ");
}

export function tableHead(columns: readonly Column[]): string {
	return tableLine(
		columns,
		columns.map(({ title }) => title),
	);
}

/** A whole table, each column as wide as its widest value. */
export function table(
	titles: readonly (string | Omit<Column, "width">)[],
	rows: readonly (readonly Cell[])[],
): string[] {
	const columns = titles.map((title, i): Column => {
		const column = typeof title === "string" ? { title } : title;
		return { ...column, width: Math.max(column.title.length, ...rows.map((row) => textOf(row[i] ?? "").length)) };
	});
	return [tableHead(columns), ...rows.map((row) => tableLine(columns, row))];
}

/** JSON whose text holds no character that a terminal takes for a command: those past ASCII are escaped, too. */
export function jsonText(value: unknown, indent?: number): string {
	return JSON.stringify(value, null, indent).replace(
		/[\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g,
		(character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
	);
}

const COLOURS = { red: 31, green: 32, yellow: 33, dim: 2, bold: 1 } as const;

export type Colour = keyof typeof COLOURS;

/** Colours text where stdout is a terminal and NO_COLOR (https://no-color.org) is not set. */
export function colour(name: Colour, text: string): string {
	if (!process.stdout.isTTY || (process.env["NO_COLOR"] ?? "") !== "") return text;
	return `\u001b[${COLOURS[name]}m${text}\u001b[0m`;
}
