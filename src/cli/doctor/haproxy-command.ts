/**
 * Whether a HAProxy that was started by a command loads a file, and how to make one do so. Pure: from words and paths; knows
 * nothing of processes.
 */

import { basename, dirname, resolve } from "node:path";
import type { UnitCommand } from "./unit.js";

/** The folder that the package tells Debian's haproxy.service to load. Empty it does no harm, unlike a file that is missing. */
const PACKAGED_FOLDER = "/var/lib/solistend-live/haproxy";

/** The files and folders after `-f`, and after `--`, as they are written; haproxy(1). */
export function loadedBy(words: readonly string[]): string[] {
	const end = words.indexOf("--");
	const options = end === -1 ? words : words.slice(0, end);
	return [
		...options.flatMap((word, i) => (word === "-f" ? (options[i + 1] ?? []) : [])),
		...(end === -1 ? [] : words.slice(end + 1)),
	];
}

/**
 * Whether one of them is the output, or a folder that has it: of such HAProxy reads `*.cfg`, and no hidden ones.
 *
 * @param real what a path leads to, where links are followed
 */
export function loads(paths: readonly string[], output: string, real: (path: string) => string): boolean {
	const wanted = real(output);
	const name = basename(output);
	const isRead = name.endsWith(".cfg") && !name.startsWith(".");
	return paths.some((path) => real(path) === wanted || (isRead && real(path) === real(dirname(output))));
}

/** Of a path that is relative and a working folder that may not be looked at, nothing is known. */
export function absolute(paths: readonly string[], folder: string | undefined): string[] | undefined {
	if (paths.every((path) => path.startsWith("/"))) return [...paths];
	return folder === undefined ? undefined : paths.map((path) => resolve(folder, path));
}

/** How a unit comes to load the output: the words that make a person do it. */
export function loadMend(unit: string, command: UnitCommand, output: string): string {
	const folder = dirname(output);
	const option = `-f ${folder === PACKAGED_FOLDER ? folder : output}`;
	const restart = `systemctl restart ${unit.replace(/\.service$/, "")}`;
	if (!command.written.includes("$EXTRAOPTS"))
		return `systemctl edit ${unit}: add ${option} to its ExecStart; ${restart}`;
	const options = [command.environment.get("EXTRAOPTS") ?? "", option].join(" ").trim();
	return `write EXTRAOPTS="${options}" into /etc/default/haproxy; ${restart}`;
}
