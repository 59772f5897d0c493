/** Durations as people write them (`250ms`, `2s`, `5m`, `1h`), in milliseconds. */

const UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;

/** Milliseconds of a duration such as `250ms`, `1.5s`, `5m` or `1h`; undefined when it is not one. */
export function parseDuration(text: string): number | undefined {
	const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text.trim());
	if (match === null) return undefined;
	const unit = UNITS[match[2] as keyof typeof UNITS];
	return Math.round(Number(match[1]) * unit);
}

/** Milliseconds as a person reads them: `250 ms`, `1.5 s`, `5 min`. */
export function formatDuration(ms: number): string {
	const rounded = (value: number) => Number(value.toFixed(1));
	if (ms < 1000) return `${Math.ceil(ms)} ms`;
	return ms < 60_000 ? `${rounded(ms / 1000)} s` : `${rounded(ms / 60_000)} min`;
}
