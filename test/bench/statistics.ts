/** What a series of measurements says. Pure. */

/** The value below which the share `p` (0 to 1) of the values lies: the nearest rank. */
export function percentile(values: readonly number[], p: number): number {
	const sorted = [...values].sort((a, b) => a - b);
	return sorted[Math.max(0, Math.ceil(p * sorted.length) - 1)] ?? Number.NaN;
}

/** `p50 / p99 / max` of milliseconds. */
export function summary(values: readonly number[]): string {
	return [percentile(values, 0.5), percentile(values, 0.99), Math.max(...values)].map(ms).join(" / ");
}

export const ms = (value: number): string => `${value < 10 ? value.toFixed(2) : value.toFixed(0)} ms`;
