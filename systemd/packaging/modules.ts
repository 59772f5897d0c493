/** Copies npm packages as they run: modules and data, without sources, types, tests and words. Knows nothing of Debian. */

import { chmod, cp, mkdir, readdir, readFile } from "node:fs/promises";
import { dirname, extname, join, relative, sep } from "node:path";

/** What Node loads, or a module reads. */
const KEPT = [".js", ".mjs", ".cjs", ".json", ".node"];

/** At the top of a package, for those who work on it. */
const FOR_AUTHORS = ["benchmark", "benchmarks", "docs", "example", "examples", "fixtures", "scripts", "specs", "test"];

/**
 * Copies the package in `from`. Packages inside it are packages of their own, and left out; so are its commands, which nobody
 * calls.
 *
 * @param without names at its top that are left out, too
 */
export async function copyModule(from: string, to: string, without: readonly string[] = []): Promise<void> {
	for (const entry of await readdir(from, { withFileTypes: true, recursive: true })) {
		const path = relative(from, join(entry.parentPath, entry.name));
		if (!entry.isFile() || !isModule(path) || without.includes(path.split(sep)[0] ?? "")) continue;
		if ((await readFile(join(from, path))).subarray(0, 2).toString() === "#!") continue;
		await mkdir(dirname(join(to, path)), { recursive: true });
		await cp(join(from, path), join(to, path));
		await chmod(join(to, path), 0o644);
	}
}

/** @param path of a file within its package */
export function isModule(path: string): boolean {
	const names = path.split(sep);
	// a name with a dot in front is configuration of somebody's tools
	const isAside = names.includes("node_modules") || names.some((name) => name.startsWith("."));
	return !isAside && !FOR_AUTHORS.includes(names[0] ?? "") && KEPT.includes(extname(path));
}
