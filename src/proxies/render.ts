/**
 * Templates: found in the folders, compiled once, rendered strictly: a name that is not there is an error with its
 * place, never an empty text. Knows nothing of proxies.
 */

import { readFile } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import type Handlebars from "handlebars";
import { messageOf, SolistendError } from "../errors.js";
import type { TemplateContext } from "./context.js";
import { compileStrict, parseStrict } from "./environment.js";
import { fromHandlebars, type Place, templateError } from "./template-error.js";

export interface Template {
	/** The file that was found. */
	readonly file: string;
	/** This file and those of its partials. */
	readonly files: readonly string[];
	/** @throws SolistendError with the place of what is wrong. */
	render(context: TemplateContext): string;
}

/**
 * Finds and compiles a template and its partials.
 * @param name a file in one of the folders, or an absolute path
 * @param folders the first one that has the file wins
 * @throws SolistendError where no folder has it, and for syntax errors, unknown helpers and unknown partials.
 */
export async function loadTemplate(name: string, folders: readonly string[]): Promise<Template> {
	const found = await find(name, folders);
	if (found === undefined) throw notFound(name, folders);
	const partials = new Map<string, Compiled>();
	const main = await compile(found, folders, partials, [name]);
	return {
		file: main.file,
		files: [main.file, ...[...partials.values()].map(({ file }) => file)],
		render(context) {
			try {
				return main.render(context, {
					partials: Object.fromEntries([...partials].map(([partial, { render }]) => [partial, render])),
					// Off by default too, but then each attempt is written to the console.
					allowProtoPropertiesByDefault: false,
					allowProtoMethodsByDefault: false,
				});
			} catch (error) {
				throw fromHandlebars(main.file, error);
			}
		},
	};
}

interface Source {
	readonly file: string;
	readonly text: string;
}

interface Compiled {
	readonly file: string;
	readonly render: Handlebars.TemplateDelegate<unknown>;
}

/** Compiles a source, and into `partials` whatever it includes; `path` are the names that led here. */
async function compile(
	{ file, text }: Source,
	folders: readonly string[],
	partials: Map<string, Compiled>,
	path: readonly string[],
): Promise<Compiled> {
	const { program, uses } = parse(file, text);
	for (const { name, place } of uses) {
		if (path.includes(name)) throw templateError(place, `partial "${name}" includes itself (${path.join(" → ")})`);
		if (partials.has(name)) continue;
		const found = await find(name, folders);
		if (found === undefined) throw notFound(name, folders, place);
		partials.set(name, await compile(found, folders, partials, [...path, name]));
	}
	return { file, render: compileStrict(program) };
}

function parse(file: string, text: string) {
	try {
		return parseStrict(file, text);
	} catch (error) {
		throw fromHandlebars(file, error);
	}
}

/** Undefined when there is no such file. */
async function find(name: string, folders: readonly string[]): Promise<Source | undefined> {
	for (const file of candidates(name, folders)) {
		try {
			return { file, text: await readFile(file, "utf8") };
		} catch (error) {
			const code = error instanceof Error && "code" in error ? error.code : undefined;
			if (code === "ENOENT" || code === "ENOTDIR") continue;
			throw new SolistendError("config", `cannot read template ${file}: ${messageOf(error)}`, { cause: error });
		}
	}
	return undefined;
}

function candidates(name: string, folders: readonly string[]): string[] {
	return isAbsolute(name) ? [name] : folders.map((folder) => join(folder, name));
}

function notFound(name: string, folders: readonly string[], place?: Place): SolistendError {
	const looked = candidates(name, folders).join(", ");
	if (place !== undefined) return templateError(place, `unknown partial "${name}" (looked for ${looked})`);
	return new SolistendError("config", `cannot find template "${name}" (looked for ${looked})`);
}
