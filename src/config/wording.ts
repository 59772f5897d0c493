/**
 * How a wrong value is put into words: what it must be, and what it is. Pure; knows nothing of places, YAML or the
 * keys of this configuration.
 */

import { z } from "zod";
import { nearest } from "./nearest.js";

/** Text of the file, safe to print on one line of a terminal: escaped, and cut after `longest` characters. */
export function printable(text: string, longest = 60): string {
	const cut = text.length > longest ? `${text.slice(0, longest)}…` : text;
	return cut.replace(
		/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu,
		(odd) => `\\u{${odd.codePointAt(0)?.toString(16).padStart(4, "0")}}`,
	);
}

/** A value as a message names it: scalars in full, collections by their kind. */
function shown(value: unknown): string {
	if (typeof value === "string") return `"${printable(value)}"`;
	if (Array.isArray(value)) return "a list";
	if (typeof value === "object" && value !== null) return "a map";
	return String(value);
}

/** What a schema may know of a wrong value: the part of zod's raw issue that messages need. */
interface WrongValue {
	readonly input?: unknown;
}

/**
 * The `error` of a schema: `must be WHAT, not VALUE`. A value that is absent is left to {@link wording}, which says
 * that it is missing.
 */
export const mustBe =
	(what: string) =>
	({ input }: WrongValue): string | undefined => {
		if (input === undefined) return undefined;
		return input === null ? `is empty, must be ${what}` : `must be ${what}, not ${shown(input)}`;
	};

/** Alternatives as a person lists them: `a, b or c`. */
function either(words: readonly string[]): string {
	const last = words.at(-1) ?? "";
	return words.length < 2 ? last : `${words.slice(0, -1).join(", ")} or ${last}`;
}

const KINDS: Readonly<Record<string, string>> = {
	string: "text",
	number: "a number",
	int: "a whole number",
	boolean: "true or false",
	array: "a list",
	object: "a map (key: value)",
	record: "a map (key: value)",
};

function number(schema: z.ZodNumber): string {
	const kind = schema.isInt ? "a whole number" : "a number";
	const { minValue, maxValue } = schema;
	const bounded = minValue !== null && maxValue !== null && maxValue < Number.MAX_SAFE_INTEGER;
	return bounded ? `${kind} from ${minValue} to ${maxValue}` : kind;
}

/** The kinds of value that the branches of a union take. */
function kindsOf(issue: z.core.$ZodIssue): readonly string[] {
	if (issue.code === "invalid_type") return [KINDS[issue.expected] ?? issue.expected];
	if (issue.code === "invalid_union") return issue.errors.flat().flatMap(kindsOf);
	return [];
}

/**
 * The words for whatever a schema has no words of its own for: what is missing, of the wrong kind, out of range or not
 * among the choices. Given to zod as the `error` of a parse, with `reportInput`.
 */
export const wording: z.core.$ZodErrorMap = (issue) => {
	const { input, inst } = issue;
	if (input === undefined && issue.code !== "unrecognized_keys") {
		const meaning = inst instanceof z.ZodType ? inst.description : undefined;
		return meaning === undefined ? "is missing" : `is missing (${meaning})`;
	}
	switch (issue.code) {
		case "invalid_type":
			return mustBe(inst instanceof z.ZodNumber ? number(inst) : (KINDS[issue.expected] ?? issue.expected))(issue);
		case "invalid_value": {
			const values = issue.values.map(String);
			const near = typeof input === "string" ? nearest(input, values) : undefined;
			const guess = near === undefined ? "" : ` (did you mean ${near}?)`;
			return `${mustBe(either(values))(issue)}${guess}`;
		}
		case "too_small":
		case "too_big":
			if (issue.schema instanceof z.ZodNumber) return mustBe(number(issue.schema))(issue);
			if (issue.code === "too_small") return "must not be empty";
			return undefined;
		case "invalid_union":
			return mustBe(either([...new Set(issue.errors.flat().flatMap(kindsOf))]))(issue);
		default:
			return undefined;
	}
};
