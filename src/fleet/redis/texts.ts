/**
 * Equal texts as one: hosts tell the same names of services, images and addresses again and again, and each that is read would
 * be kept by itself. Knows nothing of what they mean.
 */

/** Gives the text back, or one that is equal and was given before. */
export type SameText = (text: string) => string;

/** So many are remembered; beyond that all are forgotten, and begin anew. */
const MOST = 10_000;

export function createTexts(): SameText {
	let known = new Map<string, string>();
	return (text) => {
		const same = known.get(text);
		if (same !== undefined) return same;
		if (known.size >= MOST) known = new Map();
		known.set(text, text);
		return text;
	};
}
