/**
 * The Handlebars environment of all templates: strict lookups, our helpers only, no prototypes, and every error with its
 * place in the template. Knows nothing of files and of what a template is for.
 */

import Handlebars from "handlebars";
import { nearest } from "../config/nearest.js";
import { messageOf, SolistendError } from "../errors.js";
import { HELPERS } from "./helpers.js";
import { GET, makeStrict, type PartialUse } from "./strict.js";
import { type Place, placedError, templateError } from "./template-error.js";

/** Handlebars' own; `log` would write to the console. */
const BUILT_IN = ["if", "unless", "each", "with", "lookup"] as const;

const KNOWN_HELPERS = [...BUILT_IN, ...Object.keys(HELPERS)];

const environment = createEnvironment();

export interface Parsed {
	readonly program: hbs.AST.Program;
	/** The partials that it needs from elsewhere. */
	readonly uses: readonly PartialUse[];
}

/** @throws whatever Handlebars throws for a syntax error; SolistendError for an unknown helper. */
export function parseStrict(file: string, text: string): Parsed {
	const program = environment.parseWithoutProcessing(text, { srcName: file });
	return { program, uses: makeStrict(program, KNOWN_HELPERS) };
}

/** What comes out is never escaped: a configuration is not HTML. */
export function compileStrict(program: hbs.AST.Program): Handlebars.TemplateDelegate<unknown> {
	return environment.compile<unknown>(program, {
		noEscape: true,
		strict: true,
		knownHelpersOnly: true,
		knownHelpers: Object.fromEntries([GET, ...KNOWN_HELPERS].map((helper) => [helper, true])),
	});
}

/** With our helpers only, each of which knows where it was called. */
function createEnvironment(): typeof Handlebars {
	const created = Handlebars.create();
	const builtIn = BUILT_IN.map((name) => [name, created.helpers[name]] as const);
	for (const name of Object.keys(created.helpers)) {
		if (name !== "blockHelperMissing" && name !== "helperMissing") created.unregisterHelper(name);
	}
	for (const [name, original] of builtIn) {
		if (original === undefined) throw new Error(`Handlebars has no helper ${name}`);
		created.registerHelper(name, function (this: unknown, ...raw: unknown[]): unknown {
			return placed(callOf(raw).place, () => {
				if (name === "each") requireList(raw[0]);
				return Reflect.apply(original, this, raw);
			});
		});
	}
	for (const [name, helper] of Object.entries(HELPERS)) {
		created.registerHelper(name, (...raw: unknown[]): unknown => {
			const { params, pairs, place } = callOf(raw);
			return placed(place, () => helper(params, pairs));
		});
	}
	created.registerHelper(GET, (...raw: unknown[]): unknown => {
		const { params, place } = callOf(raw);
		const [lenient, root, ...names] = params;
		return get(root, names.map(String), lenient === true, place);
	});
	return created;
}

/** Follows names through own properties only: nothing of a prototype is ever reached. */
function get(root: unknown, names: readonly string[], lenient: boolean, place: Place | undefined): unknown {
	let value = root;
	for (const [index, name] of names.entries()) {
		if (typeof value === "object" && value !== null && Object.hasOwn(value, name)) {
			value = Reflect.get(value, name);
			continue;
		}
		if (lenient && names.slice(0, index).includes("options")) return undefined;
		throw unknownName(names, index, value, place);
	}
	return value;
}

function unknownName(names: readonly string[], index: number, parent: unknown, place: Place | undefined): Error {
	const name = names[index] ?? "";
	const path = names.slice(0, index + 1).join(".");
	if (names[index - 1] === "options") {
		return errorAt(place, `option "${name}" is not set (set it, or write {{default ${path} "…"}})`);
	}
	const known = typeof parent === "object" && parent !== null && !Array.isArray(parent) ? Object.keys(parent) : [];
	const guess = nearest(name, known);
	const hints = [
		...(guess === undefined ? [] : [`did you mean ${guess}?`]),
		`known here: ${known.join(", ") || "no names"}`,
	];
	return errorAt(place, `unknown name "${path}" (${hints.join(" ")})`);
}

/** `{{#each}}` over a text would silently be nothing. An option that is not set is nothing. */
function requireList(value: unknown): void {
	if (value === undefined || (typeof value === "object" && value !== null)) return;
	throw new Error(`each needs a list (got ${JSON.stringify(value)}; write {{#each (list …)}})`);
}

function placed<T>(place: Place | undefined, call: () => T): T {
	try {
		return call();
	} catch (error) {
		if (error instanceof SolistendError) throw error;
		// What was thrown inside a block may know its own place.
		throw (place && placedError(place.source, error)) ?? errorAt(place, messageOf(error), error);
	}
}

function errorAt(place: Place | undefined, message: string, cause?: unknown): Error {
	return place === undefined ? new Error(message, { cause }) : templateError(place, message, cause);
}

interface Call {
	readonly params: readonly unknown[];
	readonly pairs: Readonly<Record<string, unknown>>;
	readonly place: Place | undefined;
}

/** What Handlebars hands to a helper: the parameters, then an object with the pairs and the place. */
function callOf(raw: readonly unknown[]): Call {
	const options = raw.at(-1);
	return {
		params: raw.slice(0, -1),
		pairs: isRecord(options) && isRecord(options["hash"]) ? options["hash"] : {},
		place: isRecord(options) && isPlace(options["loc"]) ? options["loc"] : undefined,
	};
}

function isRecord(value: unknown): value is Record<string, unknown> {
	return typeof value === "object" && value !== null;
}

function isPlace(value: unknown): value is Place {
	return isRecord(value) && typeof value["source"] === "string" && isRecord(value["start"]);
}
