/** A unified diff from a live file to what would be written, as `patch` takes it. */

import { colour } from "./output.js";

/** Lines of context around a change. */
const CONTEXT = 3;

/**
 * No lines where the texts are equal.
 *
 * @param live the text of the file; undefined when there is none
 */
export async function diffLines(file: string, live: string | undefined, next: string): Promise<string[]> {
	if (live === next) return [];
	const { createTwoFilesPatch, FILE_HEADERS_ONLY } = await import("diff");
	const from = live === undefined ? "/dev/null" : file;
	const patch = createTwoFilesPatch(from, file, live ?? "", next, undefined, undefined, {
		context: CONTEXT,
		headerOptions: FILE_HEADERS_ONLY,
	});
	return patch.replace(/\n$/, "").split("\n").map(coloured);
}

/** The two headers are no changes. */
function coloured(line: string, at: number): string {
	if (at < 2) return colour("bold", line);
	if (line.startsWith("+")) return colour("green", line);
	return line.startsWith("-") ? colour("red", line) : line;
}
