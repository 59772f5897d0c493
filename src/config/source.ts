/**
 * YAML text as a plain value, with what is wrong in the YAML itself and where each key and value stands. Pure; knows
 * nothing of the schema.
 */

import { type Document, isCollection, isScalar, parseDocument, visit, type YAMLError } from "yaml";
import { messageOf } from "../errors.js";
import { tooDeepAt } from "./nesting.js";
import { offsetOf } from "./places.js";
import type { Finding } from "./problem.js";
import { printable } from "./wording.js";

/** Something wrong in the YAML, at an offset into the text. */
export interface Fault {
	readonly offset: number;
	readonly message: string;
}

/** A YAML text, read. */
export interface Source {
	readonly faults: readonly Fault[];
	/** The plain value, or undefined where the text is too broken to have one. An empty text is an empty map. */
	readonly value: unknown;
	/** The offset of what a finding is about. */
	offsetOf(finding: Finding): number;
}

/** Reads a YAML text. Never throws. */
export function readSource(text: string): Source {
	const tooDeep = tooDeepAt(text);
	if (tooDeep !== undefined) return broken([{ offset: tooDeep, message: "nests too deep (64 levels at most)" }]);
	// Tags beyond YAML's core would bring dates, sets and buffers, which no key takes.
	const document = parseDocument(text, { stringKeys: true, resolveKnownTags: false, prettyErrors: false });
	const errors = [...document.errors, ...document.warnings];
	const faults = [...errors.map((error) => faultOf(error, document, text)), ...keyAndAliasFaults(document)];
	// A key that is there twice still leaves a value to look at: the last one.
	if (errors.some(({ code }) => code !== "DUPLICATE_KEY") || faults.length > errors.length) return broken(faults);
	try {
		return {
			faults,
			value: document.toJS() ?? {},
			offsetOf: ({ path, on }) => offsetOf(document, text, path, on),
		};
	} catch (error) {
		return broken([...faults, { offset: 0, message: notYaml(messageOf(error)) }]);
	}
}

const broken = (faults: readonly Fault[]): Source => ({
	faults: faults.filter(
		({ offset, message }, index) =>
			index === faults.findIndex((other) => other.offset === offset && other.message === message),
	),
	value: undefined,
	offsetOf: () => 0,
});

function faultOf({ code, message, pos }: YAMLError, document: Document, text: string): Fault {
	const [offset] = pos;
	switch (code) {
		case "DUPLICATE_KEY": {
			const key = /^[\w-]+/.exec(text.slice(offset, offset + 64))?.[0];
			return { offset, message: `has the key${key === undefined ? "" : ` ${key}`} twice (keep one of them)` };
		}
		case "TAB_AS_INDENT":
			return { offset, message: "is indented with a tab (use spaces)" };
		case "MULTIPLE_DOCS":
			return { offset, message: "holds a second document (remove the line ---)" };
		case "NON_STRING_KEY":
			return { offset, message: "has a list or a map as a key (a key is a word)" };
		case "TAG_RESOLVE_FAILED":
			return { offset, message: `has a tag that means nothing here (remove it): ${printable(message)}` };
		case "MISSING_CHAR":
		case "BAD_INDENT": {
			const open = leftOpen(document, offset);
			if (open === undefined) return { offset, message: notYaml(message) };
			return { offset: open.offset, message: open.quote ? "opens a quote that nothing closes" : notYaml(message) };
		}
		default:
			return { offset, message: notYaml(message) };
	}
}

const notYaml = (message: string): string =>
	`is not valid YAML: ${printable(message.charAt(0).toLowerCase() + message.slice(1), 200)}`;

/**
 * An unclosed quote or bracket is noticed where the text ends; a person looks for where it opens. Of brackets it is the
 * outermost: an inner one may well be closed.
 */
function leftOpen(document: Document, noticedAt: number): { offset: number; quote: boolean } | undefined {
	let bracket: number | undefined;
	let quote: number | undefined;
	visit(document, (_, node) => {
		if (!isScalar(node) && !isCollection(node)) return;
		const [offset, end] = node.range ?? [0, -1];
		if (offset >= noticedAt || end > noticedAt || noticedAt > end + 1) return;
		if (isScalar(node) && (node.type === "QUOTE_DOUBLE" || node.type === "QUOTE_SINGLE")) quote = offset;
		if (isCollection(node) && node.flow) bracket ??= offset;
	});
	if (quote !== undefined) return { offset: quote, quote: true };
	return bracket === undefined ? undefined : { offset: bracket, quote: false };
}

/** What the parser lets pass: aliases of nothing, and a key that JavaScript would take for an object's prototype. */
function keyAndAliasFaults(document: Document): Fault[] {
	const faults: Fault[] = [];
	visit(document, {
		Alias(_, alias) {
			if (alias.resolve(document) !== undefined) return;
			const name = printable(alias.source);
			faults.push({ offset: alias.range?.[0] ?? 0, message: `names an anchor that is not set before it: *${name}` });
		},
		Pair(_, { key }) {
			if (!isScalar(key) || key.value !== "__proto__") return;
			faults.push({ offset: key.range?.[0] ?? 0, message: "has a key that cannot be used: __proto__" });
		},
	});
	return faults;
}
