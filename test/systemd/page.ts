/** The blocks of code on a page of docs/, as a reader finds them. Knows nothing of what they mean. */

import { readFile } from "node:fs/promises";

export interface Page {
	/** All of it. */
	readonly text: string;
	/**
	 * A block of a language under a heading of the second level.
	 *
	 * @param place which one, from 0
	 * @throws Error when there is none
	 */
	block(heading: string, language: string, place?: number): string;
}

export async function readPage(file: URL): Promise<Page> {
	const text = await readFile(file, "utf8");
	return {
		text,
		block(heading, language, place = 0) {
			const part = text.split(/^## /m).find((one) => one.startsWith(`${heading}\n`)) ?? "";
			const found = [...part.matchAll(/^```(\S*)\n([\s\S]*?)^```$/gm)].filter(([, word]) => word === language);
			const block = found[place]?.[2];
			if (block === undefined) throw new Error(`${file}: ${heading} has no block ${place} of ${language}`);
			return block;
		},
	};
}
