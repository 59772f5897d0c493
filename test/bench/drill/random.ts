/** Chance that a seed repeats. Pure. */

export interface Random {
	/** A whole number from 0 on, below `n`. */
	below(n: number): number;
	between(least: number, most: number): number;
	of<T>(some: readonly [T, ...T[]]): T;
	/** The same in another order. */
	shuffled<T>(some: readonly T[]): T[];
}

/** The generator mulberry32: small, and good enough to choose faults by. */
export function randomBy(seed: number): Random {
	let state = seed >>> 0;
	const next = () => {
		state = (state + 0x6d2b79f5) >>> 0;
		let mixed = Math.imul(state ^ (state >>> 15), state | 1);
		mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
	};
	const below = (n: number) => Math.floor(next() * n);
	return {
		below,
		between: (least, most) => least + next() * (most - least),
		of: (some) => some[below(some.length)] ?? some[0],
		shuffled(some) {
			const rest = [...some];
			return some.flatMap(() => rest.splice(below(rest.length), 1));
		},
	};
}
