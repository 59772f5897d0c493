/**
 * `npm run package:deb [-- --arch amd64|arm64 --version 1.2.3-1 --out FOLDER --fast]`: the Debian package. What was built is
 * packed, so `npm run build` comes first. The same sources and SOURCE_DATE_EPOCH give the same bytes. Owns the order of the
 * steps; what is in the package is in tree.ts.
 */

import { chmod, lutimes, mkdir, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { argv } from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { execa } from "execa";
import { writeControl } from "./control.js";
import { ARCHITECTURES, type Architecture, fetchPlatform } from "./platform.js";
import { writeTree } from "./tree.js";
import { debianVersion, packageFacts } from "./version.js";

export const REPOSITORY = fileURLToPath(new URL("../..", import.meta.url));
/** Kept between builds. */
export const CACHE = join(REPOSITORY, "node_modules", ".cache", "solistend");

interface Options {
	/** Debian's name; default: that of this machine. */
	readonly arch?: string | undefined;
	/** Debian's version; default: that of package.json. */
	readonly version?: string | undefined;
	/** Default: dist/. */
	readonly out?: string | undefined;
	/** Packed quickly rather than well, for tests. */
	readonly fast?: boolean | undefined;
}

/** Builds the package. Gives its path. */
export async function packageDeb({
	arch,
	version,
	out = join(REPOSITORY, "dist"),
	fast = false,
}: Options): Promise<string> {
	const architecture = arch === undefined ? thisArchitecture() : architectureOf(arch);
	const facts = await packageFacts(REPOSITORY);
	const edition = { ...facts, version: version ?? debianVersion(facts.version), upstream: facts.version, architecture };

	const root = join(CACHE, `deb-${architecture}-${process.pid}`);
	await rm(root, { recursive: true, force: true });
	try {
		const platform = await fetchPlatform(architecture, REPOSITORY, CACHE);
		await writeTree(root, REPOSITORY, platform, edition);
		await writeControl(root, REPOSITORY, edition);
		await settle(root, edition.epoch);
		await mkdir(out, { recursive: true });
		const file = join(out, `solistend_${edition.version}_${architecture}.deb`);
		const packing = fast ? ["-Zgzip", "-z1"] : ["-Zxz", "-z6", "--threads-max=1"];
		await execa("dpkg-deb", ["--root-owner-group", "--uniform-compression", ...packing, "--build", root, file], {
			env: { SOURCE_DATE_EPOCH: String(edition.epoch) },
			stdout: "ignore",
		});
		return file;
	} finally {
		await rm(root, { recursive: true, force: true });
	}
}

/** @throws when there is no package for this machine */
export const thisArchitecture = (): Architecture => architectureOf(process.arch === "x64" ? "amd64" : process.arch);

function architectureOf(name: string): Architecture {
	const architecture = ARCHITECTURES.find((known) => known === name);
	if (architecture === undefined) throw new Error(`there is no package for ${name} (${ARCHITECTURES.join(" or ")})`);
	return architecture;
}

/** Gives everything the modes and the time that Debian wants, whatever umask and clock are. */
async function settle(path: string, epoch: number): Promise<void> {
	const { mode, isFolder } = await stat(path).then((found) => ({ mode: found.mode, isFolder: found.isDirectory() }));
	if (isFolder) for (const name of await readdir(path)) await settle(join(path, name), epoch);
	await chmod(path, isFolder || mode & 0o100 ? 0o755 : 0o644);
	await lutimes(path, epoch, epoch);
}

if (argv[1] === fileURLToPath(import.meta.url)) {
	const { values } = parseArgs({
		options: {
			arch: { type: "string" },
			version: { type: "string" },
			out: { type: "string" },
			fast: { type: "boolean" },
		},
	});
	process.stdout.write(`${await packageDeb(values)}\n`);
}
