/** The word that was probably meant. Pure. */

/**
 * Changes that turn one word into another, where a change is a letter put in, left out, replaced, or swapped with its
 * neighbour (optimal string alignment distance).
 */
function distance(from: string, to: string): number {
	let twoBack: number[] = [];
	let oneBack = Array.from({ length: to.length + 1 }, (_, column) => column);
	for (let row = 1; row <= from.length; row++) {
		const current = [row];
		for (let column = 1; column <= to.length; column++) {
			const replaced = from[row - 1] === to[column - 1] ? 0 : 1;
			let best = Math.min(
				(oneBack[column] ?? 0) + 1,
				(current[column - 1] ?? 0) + 1,
				(oneBack[column - 1] ?? 0) + replaced,
			);
			const swapped = row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
			if (swapped) best = Math.min(best, (twoBack[column - 2] ?? 0) + 1);
			current.push(best);
		}
		twoBack = oneBack;
		oneBack = current;
	}
	return oneBack[to.length] ?? 0;
}

/** The known word that is nearest to a mistyped one; undefined when none is near enough to be worth a guess. */
export function nearest(word: string, known: readonly string[]): string | undefined {
	let best: string | undefined;
	let bestDistance = Number.POSITIVE_INFINITY;
	for (const candidate of known) {
		const allowed = Math.max(1, Math.floor(Math.max(word.length, candidate.length) / 3));
		if (Math.abs(word.length - candidate.length) > allowed) continue;
		const changes = distance(word.toLowerCase(), candidate.toLowerCase());
		if (changes <= allowed && changes < bestDistance) {
			best = candidate;
			bestDistance = changes;
		}
	}
	return best;
}
