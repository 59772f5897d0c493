/** What a benchmark says. */

/** A measured figure beside its goal. */
export interface Figure {
	readonly what: string;
	readonly measured: string;
	/** As the project's goals have it; `-` where there is none. */
	readonly goal: string;
	/** Undefined where there is no goal. */
	readonly met: boolean | undefined;
}

/** One case: what was measured together, under the same conditions. */
export interface Section {
	readonly title: string;
	/** How it was measured, in a few lines. */
	readonly text: string;
	readonly figures: readonly Figure[];
}

/** A figure that has no goal: what something else does, or how the rest came about. */
export const beside = (what: string, measured: string): Figure => ({ what, measured, goal: "-", met: undefined });

/** A section as a part of a page. Pure. */
export function sectionText({ title, text, figures }: Section): string {
	const met = (figure: Figure) => (figure.met === undefined ? "" : figure.met ? "yes" : "**no**");
	const rows = figures.map((figure) => [figure.what, figure.measured, figure.goal, met(figure)]);
	const head = ["what", "measured", "goal", "met"];
	const widths = head.map((name, column) => Math.max(name.length, ...rows.map((cells) => cells[column]?.length ?? 0)));
	const line = (cells: readonly string[], filler = " ") =>
		`| ${widths.map((width, column) => (cells[column] ?? "").padEnd(width, filler)).join(" | ")} |`;
	const table = [line(head), line([], "-"), ...rows.map((cells) => line(cells))].join("\n");
	return [`## ${title}`, text, table].join("\n\n");
}
