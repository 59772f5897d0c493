/** HTML from templates: whatever is put in is text, and escaped, unless it was made here. Pure. */

import { printable } from "../../config/wording.js";

/** HTML that was made by {@link html}. */
export interface Html {
	readonly html: string;
}

type Value = Html | readonly Html[] | string | number | undefined;

/** Longest text that is shown, in characters. */
const MAX_TEXT = 4000;

const ENTITIES: Readonly<Record<string, string>> = {
	"&": "&amp;",
	"<": "&lt;",
	">": "&gt;",
	'"': "&quot;",
	"'": "&#39;",
};

/** A template's HTML; attributes have to be quoted in it. */
export function html(parts: TemplateStringsArray, ...values: readonly Value[]): Html {
	return { html: parts.map((part, i) => part + textOf(values[i])).join("") };
}

function textOf(value: Value): string {
	if (value === undefined) return "";
	// characters that turn text around, or can't be seen, are written out
	if (typeof value === "string") return printable(value, MAX_TEXT).replace(/[&<>"']/g, (sign) => ENTITIES[sign] ?? "");
	if (typeof value === "number") return String(value);
	return "html" in value ? value.html : value.map((one) => one.html).join("");
}
