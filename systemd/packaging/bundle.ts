/**
 * `npm run build:bundle`: what ships, in `dist/`: the program and the worker of its sensor, with the libraries that they use, in
 * a few files. Hundreds of small modules would take a tenth of the daemon's memory, and half of its start. koffi has native
 * parts, and stays a package of its own.
 */

import { cp, mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { argv } from "node:process";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { bundledPackages } from "./copyright.js";
import { notices } from "./licences.js";

const REPOSITORY = fileURLToPath(new URL("../..", import.meta.url));
const DIST = join(REPOSITORY, "dist");
const PAGE = join(REPOSITORY, "src", "admin", "page");
/** What the status page has besides code that runs here. */
const PAGE_FILES = ["browser.js", "icon.svg", "page.css"];

/** CommonJS in a module: what is left of `require` in it are Node's own modules. */
const REQUIRE = `import { createRequire as createRequireOfBundle } from "node:module";
const require = createRequireOfBundle(import.meta.url);`;

/** Bundles, and says what went in: paths such as `node_modules/yaml`, in order. Without `dist` nothing is written. */
export async function bundle(dist?: string): Promise<string[]> {
	const { metafile } = await build({
		entryPoints: { solistend: "src/cli/index.ts", worker: "src/sensor/worker.ts" },
		absWorkingDir: REPOSITORY,
		bundle: true,
		splitting: true,
		format: "esm",
		platform: "node",
		target: "node20",
		external: ["koffi"],
		banner: { js: REQUIRE },
		legalComments: "none",
		logLevel: "warning",
		metafile: true,
		write: dist !== undefined,
		outdir: dist ?? DIST,
	});
	const packages = Object.keys(metafile.inputs).flatMap(
		(path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path) ?? [],
	);
	return [...new Set(packages)].sort();
}

/** Removes an earlier bundle, of which some files would be left over. The BPF object, and packages that were made, stay. */
async function clear(): Promise<void> {
	await mkdir(DIST, { recursive: true });
	for (const name of await readdir(DIST)) {
		if (name !== "bpf" && !name.endsWith(".deb")) await rm(join(DIST, name), { recursive: true });
	}
}

if (argv[1] === fileURLToPath(import.meta.url)) {
	await clear();
	const packages = await bundle(DIST);
	for (const name of PAGE_FILES) await cp(join(PAGE, name), join(DIST, "page", name));
	await writeFile(join(DIST, "LICENCES.txt"), notices(await bundledPackages(REPOSITORY, packages)));
}
