/** Writes what changes, one write at a time, and of what changes meanwhile the last alone. Knows nothing of what it writes. */

export interface Keeper<T> {
	/** To be written, in place of what waits. */
	keep(value: T): void;
	/** Resolves when what is to be kept now is written, with the reason where it is not. */
	kept(): Promise<string | undefined>;
}

/**
 * @param write writes a value; resolves with the reason where it can't. Never rejects
 * @param onProblem is told of each write that fails
 */
export function createKeeper<T>(
	write: (value: T) => Promise<string | undefined>,
	onProblem: (reason: string) => void,
): Keeper<T> {
	let waiting: { readonly value: T } | undefined;
	let kept: Promise<string | undefined> = Promise.resolve(undefined);

	const next = async (before: string | undefined) => {
		// it went with an earlier one
		if (waiting === undefined) return before;
		const { value } = waiting;
		waiting = undefined;
		const problem = await write(value);
		if (problem !== undefined) onProblem(problem);
		return problem;
	};

	return {
		keep(value) {
			waiting = { value };
			kept = kept.then(next);
		},
		kept: () => kept,
	};
}
