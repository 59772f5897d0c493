/** The small C programs of the benchmarks, compiled when needed: what is measured must not wait for a garbage collector. */

import { mkdir, rename, stat } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { execa } from "execa";

const SOURCES = fileURLToPath(new URL("../native/", import.meta.url));
const FOLDER = fileURLToPath(new URL("../../../node_modules/.cache/solistend/bench/", import.meta.url));

/** Path of the program that `native/NAME.c` makes. */
export async function native(name: "app" | "crowd" | "flood" | "hoard" | "load" | "probe"): Promise<string> {
	const source = `${SOURCES}${name}.c`;
	const program = `${FOLDER}${name}`;
	const made = [program, source, `${SOURCES}clock.h`, fileURLToPath(import.meta.url)];
	const [built, ...sources] = await Promise.all(made.map(changedMs));
	if (built !== undefined && sources.every((ms) => ms !== undefined && ms < built)) return program;
	await mkdir(FOLDER, { recursive: true });
	// Static: so that it runs in a container that has nothing else, too.
	await execa("clang", ["-O2", "-static", "-Wall", "-Wextra", "-o", `${program}.new`, source]);
	await rename(`${program}.new`, program);
	return program;
}

const changedMs = (path: string) =>
	stat(path).then(
		({ mtimeMs }) => mtimeMs,
		() => undefined,
	);
