/**
 * What the package takes from elsewhere for its architecture: Node itself and koffi's native part, as npm packages that are
 * pinned by their checksum and kept beside node_modules. Knows nothing of what else is in the package.
 */

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { lockedPackage } from "./lock.js";

/** Debian's names. */
export const ARCHITECTURES = ["amd64", "arm64"] as const;

export type Architecture = (typeof ARCHITECTURES)[number];

/** The Node that is bundled: a release with long-term support, newer than what Debian 12 and 13 have. */
export const NODE_VERSION = "24.21.0";

/** npm's names of the architecture, and the checksum of Node's package as the registry has it. */
const NPM = {
	amd64: {
		cpu: "x64",
		nodeIntegrity: "sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==",
	},
	arm64: {
		cpu: "arm64",
		nodeIntegrity: "sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==",
	},
} as const satisfies Record<Architecture, { cpu: string; nodeIntegrity: string }>;

export interface Platform {
	/** Folder of Node's npm package: `bin/node`, `LICENSE`. */
	readonly node: string;
	/** Folder of koffi's native part, and the folders in it that are for other C libraries. */
	readonly koffi: string;
	/** Where koffi looks for it, below node_modules. */
	readonly koffiName: string;
}

/**
 * The two, downloaded when they are not in `cache` yet.
 *
 * @param repository folder with package-lock.json, which pins koffi's
 * @throws when a download fails, or is not what was pinned
 */
export async function fetchPlatform(architecture: Architecture, repository: string, cache: string): Promise<Platform> {
	const { cpu, nodeIntegrity } = NPM[architecture];
	const koffiName = `@koromix/koffi-linux-${cpu}`;
	const koffi = await lockedPackage(repository, `node_modules/${koffiName}`);
	return {
		node: await fetched(`node-linux-${cpu}`, NODE_VERSION, nodeIntegrity, cache),
		koffi: await fetched(koffiName, koffi.version, koffi.integrity, cache),
		koffiName,
	};
}

/** The folder of an npm package, unpacked. */
async function fetched(name: string, version: string, integrity: string, cache: string): Promise<string> {
	const folder = join(cache, `${name.replace("/", "+")}-${version}`);
	if (existsSync(folder)) return folder;
	const staged = `${folder}.${process.pid}`;
	await mkdir(staged, { recursive: true });
	try {
		const { stdout } = await execa("npm", ["pack", `${name}@${version}`, "--silent", "--pack-destination", staged]);
		const archive = join(staged, stdout.trim());
		const found = `sha512-${createHash("sha512")
			.update(await readFile(archive))
			.digest("base64")}`;
		if (found !== integrity) throw new Error(`${name} ${version} is not what was pinned: ${found}, not ${integrity}`);
		// headers and manuals of Node are as large as the rest together
		await execa("tar", ["-xzf", archive, "-C", staged, "--strip-components=1", "--exclude=package/include"]);
		await rm(archive);
		await rename(staged, folder);
	} finally {
		await rm(staged, { recursive: true, force: true });
	}
	return folder;
}
