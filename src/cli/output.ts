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

/** One line of a table. */
export function tableLine(columns: readonly Column[], values: readonly string[]): string {
	return columns
		.map(({ width, align }, i) => {
			const value = values[i] ?? "";
			return align === "right" ? value.padStart(width) : value.padEnd(width);
		})
		.join("  ")
		.trimEnd();
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
	rows: readonly (readonly string[])[],
): string[] {
	const columns = titles.map((title, i): Column => {
		const column = typeof title === "string" ? { title } : title;
		return { ...column, width: Math.max(column.title.length, ...rows.map((row) => (row[i] ?? "").length)) };
	});
	return [tableHead(columns), ...rows.map((row) => tableLine(columns, row))];
}

const COLOURS = { red: 31, green: 32, yellow: 33, dim: 2, bold: 1 } as const;

/** Colours text where stdout is a terminal and NO_COLOR (https://no-color.org) is not set. */
export function colour(name: keyof typeof COLOURS, text: string): string {
	if (!process.stdout.isTTY || (process.env["NO_COLOR"] ?? "") !== "") return text;
	return `\u001b[${COLOURS[name]}m${text}\u001b[0m`;
}

/** A name from outside that can't move the cursor or break a line: what is not printable becomes `?`. */
export function printable(text: string): string {
	return text.replace(/[^\p{L}\p{N}\p{P}\p{S} ]/gu, "?");
}
