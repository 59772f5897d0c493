/** What is in the package, and where: the one place that knows both the repository's folders and Debian's. */

import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { execa } from "execa";
import { referenceRows } from "../../src/config/reference.js";
import { bundle } from "./bundle.js";
import { commandLine } from "./commands.js";
import { fishCompletion, shellCompletion } from "./completions.js";
import { copyrightFile } from "./copyright.js";
import { firstBackend } from "./first-backend.js";
import { commandManual, configurationManual } from "./manual.js";
import { copyModule } from "./modules.js";
import type { Platform } from "./platform.js";
import { copyUnits } from "./units.js";
import type { Edition } from "./version.js";
import { wrapper } from "./wrapper.js";

/** Where the program is. */
const HOME = "usr/lib/solistend";
const DOC = "usr/share/doc/solistend";
/** Earlier packages; licences, which are in the copyright file; and the program, which is no command here. */
const NOT_COPIED = /\.deb$|\/(?:LICENCES\.txt|solistend\.js)$/;

/** Writes the tree below `root`; of `DEBIAN/` nothing. What the repository has built is in its `dist/`. */
export async function writeTree(root: string, repository: string, platform: Platform, edition: Edition): Promise<void> {
	const write = async (path: string, content: string | Buffer, mode = 0o644) => {
		await mkdir(dirname(join(root, path)), { recursive: true });
		await writeFile(join(root, path), content, { mode });
	};
	const source = (path: string) => readFile(join(repository, path), "utf8");
	const home = (...path: string[]) => join(root, HOME, ...path);

	// the program
	await mkdir(home("bin"), { recursive: true });
	// its symbols are a seventh of it, and llvm's tool knows every architecture
	await execa("llvm-strip", ["--strip-all", "-o", home("bin", "node"), join(platform.node, "bin", "node")]);
	await cp(join(repository, "dist"), home("dist"), { recursive: true, filter: (path) => !NOT_COPIED.test(path) });
	await cp(join(repository, "templates"), home("templates"), { recursive: true });
	await write(`${HOME}/package.json`, runtimePackage(edition));
	await copyModule(join(repository, "node_modules", "koffi"), home("node_modules", "koffi"));
	await copyModule(platform.koffi, home("node_modules", platform.koffiName), ["musl_x64", "musl_arm64"]);
	const program = await source("dist/solistend.js");
	await write("usr/bin/solistend", wrapper(program), 0o755);
	// without its first line, which the wrapper has
	await write(`${HOME}/dist/solistend.js`, program.slice(program.indexOf("\n") + 1));

	// what the system starts
	await copyUnits(join(repository, "systemd"), root);
	const configuration = await source("systemd/packaging/debian/solistend.yaml");
	await write("etc/solistend/solistend.yaml", configuration);

	// what people read
	const day = new Date(edition.epoch * 1000).toISOString().slice(0, 10);
	const heading = { version: edition.upstream, date: day };
	const { commands, completions } = await commandLine(join(repository, "dist", "solistend.js"));
	await write("usr/share/man/man8/solistend.8.gz", packed(commandManual(heading, commands)));
	const example = firstBackend(configuration);
	await write("usr/share/man/man5/solistend.yaml.5.gz", packed(configurationManual(heading, referenceRows(), example)));
	await write("usr/share/bash-completion/completions/solistend", shellCompletion(completions.bash));
	await write("usr/share/zsh/vendor-completions/_solistend", shellCompletion(completions.zsh));
	await write("usr/share/fish/vendor_completions.d/solistend.fish", fishCompletion());
	await cp(join(repository, "docs"), join(root, DOC), { recursive: true });
	await write(`${DOC}/changelog.gz`, packed(await source("CHANGELOG.md")));
	await write(`${DOC}/changelog.Debian.gz`, packed(debianChangelog(edition)));
	await write("usr/share/lintian/overrides/solistend", await source("systemd/packaging/debian/lintian-overrides"));
	await write(`${DOC}/copyright`, await copyrightFile(repository, platform, await bundle()));
}

/** The few keys that the program reads of itself, or Node of it. */
const runtimePackage = ({ upstream }: Edition): string =>
	`${JSON.stringify({ name: "solistend", version: upstream, type: "module", private: true }, undefined, "\t")}\n`;

function debianChangelog({ version, epoch }: Edition): string {
	const date = new Date(epoch * 1000).toUTCString().replace("GMT", "+0000");
	return `solistend (${version}) unstable; urgency=medium

  * Packaged by \`npm run package:deb\`; changelog.gz has what is new.

 -- The solistend authors <solistend@localhost>  ${date}
`;
}

/** As `gzip -9n`: neither name nor time. */
const packed = (text: string): Buffer => gzipSync(text, { level: 9 });
