/**
 * The copyright file, in Debian's machine-readable form (DEP-5): who made what is bundled, and on what terms. Pure; knows
 * nothing of where the texts come from. What it can't account for is an error, never left out.
 */

import { TERMS } from "./terms.js";

/** One thing that is bundled. */
export interface Bundled {
	/** As npm has it. */
	readonly name: string;
	/** Where it is in the package, as DEP-5 has it, such as `usr/lib/solistend/dist/*.js`; others may be there, too. */
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
 * The stanzas for what is bundled, then the texts of their terms.
 *
 * @throws when a licence is not known, when nobody is named, or when a notice would be lost
 */
export function stanzas(bundled: readonly Bundled[]): string {
	const texts = new Map<string, string>();
	const licenceOf = (one: Bundled): string => {
		const name = SHORT_NAMES[one.licence];
		if (name === undefined) {
			throw new Error(
				`${one.name} is under "${one.licence}", which is not known here (see whether it may be bundled, then add it to licences.ts)`,
			);
		}
		if (one.notices.length > 0) {
			throw new Error(`${one.name} has ${one.notices.join(", ")}: what it says has to be in the copyright file`);
		}
		const own = ownTerms(name, one);
		const label = own === undefined ? name : `${name}-of-${one.name.replace(/[^a-z0-9.-]+/gi, "-").replace(/^-/, "")}`;
		texts.set(label, own ?? TERMS[name] ?? "");
		return label;
	};
	const files = [...new Set(bundled.map((one) => one.files))].map((place) => {
		const here = bundled.filter((one) => one.files === place);
		const names = [...new Set(here.flatMap(holders))];
		const licences = [...new Set(here.map(licenceOf))].sort();
		return [`Files: ${place}`, `Copyright: ${names.join("\n ")}`, `License: ${licences.join(" and ")}`];
	});
	const terms = [...texts].sort().map(([label, text]) => [`License: ${label}`, indented(text)]);
	return [...files, ...terms].map((stanza) => `${stanza.join("\n")}\n`).join("\n");
}

/** The licences for those who get the program without Debian's copyright file: each in its own words. */
export const notices = (bundled: readonly Bundled[]): string =>
	bundled
		.map((one) => {
			const {
				name,
				licence,
				text = `Copyright ${holders(one).join(", ")}\n\n${TERMS[SHORT_NAMES[licence] ?? ""]}`,
			} = one;
			return `${name} (${licence})\n\n${text.trim()}\n`;
		})
		.join(`\n${"-".repeat(80)}\n\n`);

/** A field's text of many lines: each begins with a space, an empty one is a dot. */
export function indented(text: string): string {
	return text
		.trim()
		.split("\n")
		.map((line) => (line.trim() === "" ? " ." : ` ${line.trimEnd()}`))
		.join("\n");
}

/** The terms in its own words, where they are not those that all of this licence share. */
function ownTerms(licence: string, { name, text }: Bundled): string | undefined {
	const shared = TERMS[licence];
	// Debian has the text of Apache's licence; a copy adds nothing
	if (licence === "Apache-2.0") return undefined;
	if (shared === undefined && text === undefined)
		throw new Error(`${name} has no licence text, and ${licence} is not in terms.ts`);
	return shared === undefined || (text !== undefined && !plain(text).includes(plain(shared))) ? text : undefined;
}

/** Words alone: line breaks, quotation marks and case differ from copy to copy. */
const plain = (text: string): string => text.toLowerCase().replace(/[^a-z0-9]+/g, " ");

/** Who made it. */
function holders({ name, text, author }: Bundled): string[] {
	const lines = (text ?? "")
		.split("\n")
		.map((line) => line.replace(/^[\s*#]+/, "").trim())
		.filter(
			(line) => /^(copyright\b|\(c\)|©).*\w/i.test(line) && !/copyright (notice|holder|owner|license|\[)/i.test(line),
		)
		.map((line) => line.replace(/^copyright:?\s*/i, "").replace(/\s*all rights reserved\.?$/i, ""));
	const names = lines.length > 0 ? lines : author === undefined ? [] : [author];
	if (names.length === 0) throw new Error(`${name} names nobody who made it`);
	return names;
}
