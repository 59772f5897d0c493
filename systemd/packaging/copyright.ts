/** Reads who made what is bundled, and makes the copyright file of it. */

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { type Bundled, indented, stanzas } from "./licences.js";
import { NODE_VERSION, type Platform } from "./platform.js";
import { TERMS } from "./terms.js";

const BUNDLE = "usr/lib/solistend/dist/*.js";

const manifestSchema = z.object({
	name: z.string(),
	license: z.string().default("none"),
	author: z.union([z.string(), z.object({ name: z.string() }).transform(({ name }) => name)]).optional(),
});

/**
 * The text of usr/share/doc/solistend/copyright.
 *
 * @param packages in the bundle: paths in the repository, as in package-lock.json
 * @throws when something is bundled on terms that are not known
 */
export async function copyrightFile(
	repository: string,
	platform: Platform,
	packages: readonly string[],
): Promise<string> {
	const inBundle = await bundledPackages(repository, packages);
	const bundled = [SELF, ...inBundle, ...(await koffiParts(repository, platform))];
	const node = await readFile(join(platform.node, "LICENSE"), "utf8");
	return `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: solistend
Comment:
 The package has Node.js ${NODE_VERSION} and npm packages in it, so that it needs no other Node.

Files: *
Copyright: The solistend authors
License: Apache-2.0

Files: usr/lib/solistend/dist/bpf/*
Copyright: The solistend authors
License: GPL-2 or Expat

Files: usr/lib/solistend/bin/node
Copyright: Node.js contributors, and those whom its licence names
License: Node.js
${indented(node)}

${stanzas(bundled)}
License: GPL-2
${indented(TERMS["GPL-2"] ?? "")}
`;
}

/** The bundle is of our own code, too. */
const SELF: Bundled = {
	name: "solistend",
	files: BUNDLE,
	licence: "Apache-2.0",
	text: "Copyright The solistend authors",
	author: undefined,
	notices: [],
};

/** What the npm packages in the bundle say of themselves. */
export function bundledPackages(repository: string, packages: readonly string[]): Promise<Bundled[]> {
	return Promise.all(packages.map((path) => bundledPackage(BUNDLE, join(repository, path))));
}

/**
 * koffi is not in the bundle. Its native part has no licence file of its own: it is made from koffi's sources, and from headers
 * that come with them.
 */
async function koffiParts(repository: string, { koffiName }: Platform): Promise<Bundled[]> {
	const koffi = join(repository, "node_modules", "koffi");
	const own = await bundledPackage(filesOf("node_modules/koffi"), koffi);
	const vendored = await readdir(join(koffi, "vendor"));
	const texts = await Promise.all(vendored.sort().map((name) => licenceText(join(koffi, "vendor", name))));
	const native = {
		name: koffiName,
		files: filesOf(`node_modules/${koffiName}`),
		text: [own.text, ...texts].join("\n"),
	};
	return [own, { ...own, ...native }];
}

const filesOf = (path: string): string => `usr/lib/solistend/${path}/*`;

async function bundledPackage(files: string, folder: string): Promise<Bundled> {
	const names = await readdir(folder);
	const { name, license, author } = manifestSchema.parse(
		JSON.parse(await readFile(join(folder, "package.json"), "utf8")),
	);
	return {
		name,
		files,
		licence: license,
		text: await licenceText(folder),
		author,
		notices: names.filter((file) => /^notice/i.test(file)),
	};
}

async function licenceText(folder: string): Promise<string | undefined> {
	const names = (await readdir(folder)).filter((name) => /^(licen[cs]e|copying)/i.test(name)).sort();
	const texts = await Promise.all(names.map((name) => readFile(join(folder, name), "utf8")));
	return texts.length === 0 ? undefined : texts.join("\n");
}
