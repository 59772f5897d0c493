/** A unit of systemd as `systemctl show` tells of it, and the words of its command. Starts and changes nothing. */

import { readFile } from "node:fs/promises";

/** Properties by name, each line of one that has several. */
export type Properties = ReadonlyMap<string, readonly string[]>;

const TIMEOUT_MS = 5000;

/** Properties of a unit; undefined where there is none of that name, or no systemd that answers. */
export async function showUnit(unit: string, ...names: readonly string[]): Promise<Properties | undefined> {
	const { execa } = await import("execa");
	const asked = ["LoadState", ...names].map((name) => `--property=${name}`);
	const { stdout, failed } = await execa("systemctl", ["show", ...asked, "--", unit], {
		reject: false,
		timeout: TIMEOUT_MS,
		stdin: "ignore",
	});
	const properties = parseProperties(failed ? "" : stdout);
	return properties.get("LoadState")?.[0] === "loaded" ? properties : undefined;
}

export function parseProperties(text: string): Properties {
	const properties = new Map<string, string[]>();
	for (const line of text.split("\n")) {
		const [, name, value] = /^(\w+)=(.*)$/.exec(line) ?? [];
		if (name === undefined || value === undefined) continue;
		properties.set(name, [...(properties.get(name) ?? []), value]);
	}
	return properties;
}

/** What a unit runs, and what of it comes from its environment. */
export interface UnitCommand {
	/** As it is written, `$EXTRAOPTS` and its like in it. */
	readonly written: readonly string[];
	/** With each variable's value in its place. */
	readonly words: readonly string[];
	readonly environment: ReadonlyMap<string, string>;
}

/** The properties that {@link commandOfUnit} reads. */
export const COMMAND_PROPERTIES = ["ExecStart", "Environment", "EnvironmentFiles"] as const;

/** What a unit runs; its environment files are read. Undefined where it has no command. */
export async function commandOfUnit(properties: Properties): Promise<UnitCommand | undefined> {
	const files = (properties.get("EnvironmentFiles") ?? []).map((value) => value.replace(/ \(ignore_errors=\w+\)$/, ""));
	const texts = await Promise.all(files.map((file) => readFile(file, "utf8").catch(() => "")));
	return parseCommand(properties, texts);
}

/** @param files texts of the environment files; a later one wins, and each wins over `Environment` */
export function parseCommand(properties: Properties, files: readonly string[]): UnitCommand | undefined {
	const line = /argv\[\]=(.*?) ; /.exec(properties.get("ExecStart")?.[0] ?? "")?.[1];
	if (line === undefined) return undefined;
	const assignments = [
		...(properties.get("Environment") ?? []).flatMap(splitWords),
		...files.flatMap((text) => text.split("\n").filter((entry) => !/^\s*([#;]|$)/.test(entry))),
	];
	const environment = new Map<string, string>();
	for (const assignment of assignments) {
		const [, name, value] = /^\s*(\w+)\s*=(.*)$/.exec(assignment) ?? [];
		if (name !== undefined && value !== undefined) environment.set(name, unquote(value.trim()));
	}
	const written = splitWords(line);
	return { written, words: written.flatMap((word) => expand(word, environment)), environment };
}

/** As systemd does: a variable alone becomes several words, `${…}` within a word none but its own, systemd.service(5). */
function expand(word: string, environment: ReadonlyMap<string, string>): string[] {
	const alone = /^\$(\w+)$/.exec(word)?.[1];
	if (alone !== undefined) return splitWords(environment.get(alone) ?? "");
	return [word.replace(/\$\{(\w+)\}/g, (_, name: string) => environment.get(name) ?? "")];
}

/** Words between spaces; quotes keep spaces in one. */
function splitWords(text: string): string[] {
	return (text.match(/(?:"(?:\\.|[^"\\])*"|'[^']*'|[^\s"'])+/g) ?? []).map(unquote);
}

function unquote(word: string): string {
	const [, inner] = /^"(.*)"$/s.exec(word) ?? /^'(.*)'$/s.exec(word) ?? [];
	return (inner ?? word).replace(/\\(.)/g, "$1");
}
