/** How long something takes, for a person. Pure. */

/** A span of time in its two largest units, such as `2h 5m`; what is not over yet is `0s`. */
export function span(ms: number): string {
	const seconds = Math.max(0, Math.floor(ms / 1000));
	const units: readonly (readonly [number, string])[] = [
		[86_400, "d"],
		[3600, "h"],
		[60, "m"],
		[1, "s"],
	];
	const first = units.findIndex(([size]) => seconds >= size);
	if (first === -1) return "0s";
	let rest = seconds;
	return units
		.slice(first, first + 2)
		.flatMap(([size, unit]) => {
			const count = Math.floor(rest / size);
			rest -= count * size;
			return count > 0 ? [`${count}${unit}`] : [];
		})
		.join(" ");
}
