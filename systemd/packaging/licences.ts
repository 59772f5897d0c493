/**
 * The copyright file, in Debian's machine-readable form (DEP-5): who made what is bundled, and on what terms. Pure; knows
 * nothing of where the texts come from. What it can't account for is an error, never left out.
 */

import { TERMS } from "./terms.js";

/** One thing that is bundled. */
export interface Bundled {
	/** Where it is in the package, as DEP-5 has it, such as `usr/lib/solistend/node_modules/yaml/*`. */
	readonly files: string;
	/** As package.json has it, an SPDX identifier. */
	readonly licence: string;
	/** Text of its licence file; undefined when it has none. */
	readonly text: string | undefined;
	/** Who is named as its author elsewhere: for a licence file that names nobody. */
	readonly author: string | undefined;
	/** Names of other files whose words have to be passed on. */
	readonly notices: readonly string[];
}

/** Debian's short names of the licences that may be bundled: all of them let anyone pass the code on, in any form. */
const SHORT_NAMES: Readonly<Record<string, string>> = {
	"Apache-2.0": "Apache-2.0",
	"BSD-2-Clause": "BSD-2-clause",
	"BSD-3-Clause": "BSD-3-clause",
	ISC: "ISC",
	MIT: "Expat",
};

/**
 * The stanzas for what is bundled, then the texts that several of them share.
 *
 * @throws when a licence is not known, when nobody is named, or when a notice would be lost
 */
export function stanzas(bundled: readonly Bundled[]): string {
	const used = new Set<string>();
	const files = bundled.map((one) => {
		const name = SHORT_NAMES[one.licence];
		if (name === undefined) {
			throw new Error(
				`${one.files} is under "${one.licence}", which is not known here (see whether it may be bundled, then add it to licences.ts)`,
			);
		}
		if (one.notices.length > 0) {
			throw new Error(`${one.files} has ${one.notices.join(", ")}: what it says has to be in the copyright file`);
		}
		const own = ownTerms(name, one);
		if (own === undefined) used.add(name);
		return [`Files: ${one.files}`, ...holders(one), `License: ${name}`, ...(own === undefined ? [] : [indented(own)])];
	});
	const texts = [...used].sort().map((name) => [`License: ${name}`, indented(TERMS[name] ?? "")]);
	return [...files, ...texts].map((stanza) => `${stanza.join("\n")}\n`).join("\n");
}

/** A field's text of many lines: each begins with a space, an empty one is a dot. */
export function indented(text: string): string {
	return text
		.trim()
		.split("\n")
		.map((line) => (line.trim() === "" ? " ." : ` ${line.trimEnd()}`))
		.join("\n");
}

/** The terms in its own words, where they are not those that all of this licence share. */
function ownTerms(name: string, { files, text }: Bundled): string | undefined {
	const shared = TERMS[name];
	// Debian has the text of Apache's licence; a copy adds nothing
	if (name === "Apache-2.0") return undefined;
	if (shared === undefined && text === undefined)
		throw new Error(`${files} has no licence text, and ${name} is not in terms.ts`);
	return shared === undefined || (text !== undefined && !plain(text).includes(plain(shared))) ? text : undefined;
}

/** Words alone: line breaks, quotation marks and case differ from copy to copy. */
const plain = (text: string): string => text.toLowerCase().replace(/[^a-z0-9]+/g, " ");

function holders({ files, text, author }: Bundled): string[] {
	const lines = (text ?? "")
		.split("\n")
		.map((line) => line.replace(/^[\s*#]+/, "").trim())
		.filter(
			(line) => /^(copyright\b|\(c\)|©).*\w/i.test(line) && !/copyright (notice|holder|owner|license|\[)/i.test(line),
		)
		.map((line) => line.replace(/^copyright:?\s*/i, "").replace(/\s*all rights reserved\.?$/i, ""));
	const names = lines.length > 0 ? lines : author === undefined ? [] : [author];
	if (names.length === 0) throw new Error(`${files} names nobody who made it`);
	return names.map((name, index) => (index === 0 ? `Copyright: ${name}` : ` ${name}`));
}
