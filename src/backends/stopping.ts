/** Which of the signals that a listener's processes got count as being told to stop. Pure: numbers come with the names. */

/** What tells a process to stop where nobody says otherwise. */
export const DEFAULT_STOP_SIGNAL = "SIGTERM";

/** All processes of a listener were told to stop. */
export interface Told {
	/** Name of the signal, e.g. `SIGTERM`. */
	readonly signal: string;
	/** Boot-time nanoseconds. */
	readonly atNs: number;
}

/**
 * The last that they were told.
 *
 * @param stopping when all sockets had been told, by number of the signal
 * @param signals the names of those that count, by number
 */
export function toldToStop(
	stopping: ReadonlyMap<number, number> | undefined,
	signals: ReadonlyMap<number, string>,
): Told | undefined {
	let last: Told | undefined;
	for (const [number, atNs] of stopping ?? []) {
		const signal = signals.get(number);
		if (signal !== undefined && atNs > (last?.atNs ?? Number.NEGATIVE_INFINITY)) last = { signal, atNs };
	}
	return last;
}

/** The names of the signals that count, by number. */
export function signalNames(
	names: readonly string[],
	numbers: Readonly<Record<string, number>>,
): ReadonlyMap<number, string> {
	return new Map(
		names.flatMap((name) => {
			const number = numbers[name];
			return number === undefined ? [] : [[number, name] as const];
		}),
	);
}
