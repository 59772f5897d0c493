/**
 * What in the registry could not be used, counted and put into words; whoever writes nonsense there, however much of it,
 * fills no log with it. Pure: time comes as an argument.
 */

export interface Rejections {
	/**
	 * A value can't be used. The same word on the same place counts once, however often it is read.
	 *
	 * @param place whose and which, in words; nothing but printable ASCII of it is shown
	 * @param why a clause
	 */
	reject(place: string, why: string, nowMs: number): void;
	/** Tells what was held back, when it is time. */
	tick(nowMs: number): void;
	/** Since the start. */
	readonly count: number;
	readonly last: string | undefined;
}

/** One line at once, then one in so many milliseconds. */
const EVERY_MS = 10_000;
/** So many places are remembered by the last word on them. */
const MAX_PLACES = 10_000;
const LONGEST_PLACE = 120;

/** @param onLine is told what is worth a line in the log */
export function createRejections(onLine: (line: string) => void): Rejections {
	const words = new Map<string, string>();
	let count = 0;
	let last: string | undefined;
	let heldBack = 0;
	let quietUntilMs = Number.NEGATIVE_INFINITY;

	const tell = (nowMs: number) => {
		if (heldBack === 0 || nowMs < quietUntilMs || last === undefined) return;
		const more = heldBack === 1 ? "" : ` (and ${heldBack - 1} more since the last such line)`;
		heldBack = 0;
		quietUntilMs = nowMs + EVERY_MS;
		onLine(`left out what is in the registry: ${last}${more}`);
	};

	return {
		reject(rawPlace, rawWhy, nowMs) {
			const [place, why] = [printable(rawPlace), printable(rawWhy)];
			if (words.get(place) === why) return;
			if (words.size >= MAX_PLACES) words.clear();
			words.set(place, why);
			count++;
			heldBack++;
			last = `${place}: ${why}`;
			tell(nowMs);
		},
		tick: tell,
		get count() {
			return count;
		},
		get last() {
			return last;
		},
	};
}

/** What a terminal or a log could misread becomes `?`. */
function printable(text: string): string {
	const cut = text.length > LONGEST_PLACE ? `${text.slice(0, LONGEST_PLACE)}…` : text;
	return cut.replace(/[^ -~…]/g, "?");
}
