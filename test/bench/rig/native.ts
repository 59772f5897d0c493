/** The small C programs of the benchmarks, compiled when needed: what is measured must not wait for a garbage collector. */

import { mkdir, rename, stat } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { execa } from "execa";

const SOURCES = fileURLToPath(new URL("../native/", import.meta.url));
const HEADERS = [`${SOURCES}clock.h`, fileURLToPath(new URL("../../../bpf/kernel.h", import.meta.url))];
const FOLDER = fileURLToPath(new URL("../../../node_modules/.cache/solistend/bench/", import.meta.url));

/** Path of the program that `native/NAME.c` makes. Static: so that it runs in a container that has nothing else, too. */
export const native = (name: "app" | "crowd" | "flood" | "hoard" | "load" | "probe"): Promise<string> =>
	made(`${name}.c`, name, ["-static", "-Wextra"]);

/** Path of the library that `native/NAME.c` makes, for LD_PRELOAD. */
export const nativeLibrary = (name: "ahead"): Promise<string> =>
	made(`${name}.c`, `${name}.so`, ["-shared", "-fPIC", "-Wextra"]);

/** Path of the BPF object that `native/NAME.bpf.c` makes. */
export const nativeBpf = (name: "changes"): Promise<string> =>
	made(`${name}.bpf.c`, `${name}.bpf.o`, ["-target", "bpf", "-g", "-c"]);

async function made(from: string, to: string, flags: readonly string[]): Promise<string> {
	const source = `${SOURCES}${from}`;
	const output = `${FOLDER}${to}`;
	const files = [output, source, ...HEADERS, fileURLToPath(import.meta.url)];
	const [built, ...sources] = await Promise.all(files.map(changedMs));
	if (built !== undefined && sources.every((ms) => ms !== undefined && ms < built)) return output;
	await mkdir(FOLDER, { recursive: true });
	await execa("clang", ["-O2", "-Wall", ...flags, "-o", `${output}.new`, source]);
	await rename(`${output}.new`, output);
	return output;
}

const changedMs = (path: string) =>
	stat(path).then(
		({ mtimeMs }) => mtimeMs,
		() => undefined,
	);
