/** What libbpf printed → which program failed, and why, in few words. Pure. */

/** libbpf's prefix of whatever concerns one program. */
const OF_PROGRAM = /^libbpf: prog '([^']+)': (.*)$/;

/** The verifier's last useful line, or libbpf's first complaint; the rest is counted. Undefined where nothing was said. */
export function lastWords(lines: readonly string[]): string | undefined {
	const summary = lines.findLastIndex((line) => line.startsWith("processed "));
	const useful = summary > 0 ? lines[summary - 1] : lines[0];
	return lines.length > 1 ? `${useful?.trim()}, and ${lines.length - 1} more lines` : useful?.trim();
}

/** The program that made a load fail: the last one that libbpf complained of. */
export function culpritOf(lines: readonly string[]): string | undefined {
	return lines.flatMap((line) => OF_PROGRAM.exec(line)?.[1] ?? []).at(-1);
}

/** Only what concerns the program: from libbpf's first complaint of it on, without its prefix. */
export function aboutProgram(lines: readonly string[], program: string): string[] {
	const first = lines.findIndex((line) => OF_PROGRAM.exec(line)?.[1] === program);
	return lines.slice(Math.max(first, 0)).map((line) => OF_PROGRAM.exec(line)?.[2] ?? line);
}

/** Whether a type, or a part of one, is not there: libbpf gives no other sign of it than this. */
export const lacksType = (lines: readonly string[]): boolean =>
	lines.some((line) => line.includes("failed to resolve CO-RE relocation"));
