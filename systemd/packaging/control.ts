/** `DEBIAN/`: what dpkg is told about the package, and the scripts that it runs. */

import { createHash } from "node:crypto";
import { cp, mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { execa } from "execa";
import { dependencies } from "./depends.js";
import type { Edition } from "./version.js";

const SCRIPTS = ["postinst", "prerm", "postrm"] as const;

/** Writes it for the tree below `root`, which is whole. */
export async function writeControl(root: string, repository: string, edition: Edition): Promise<void> {
	const files = await filesBelow(root);
	const folder = join(root, "DEBIAN");
	await mkdir(folder);
	const write = (name: string, content: string) => writeFile(join(folder, name), content);

	const programs = files.filter((path) => path.endsWith("/bin/node") || path.endsWith(".node"));
	const read = (path: string) => execa("readelf", ["--dynamic", "--version-info", "--wide", path]);
	const outputs = await Promise.all(programs.map((path) => read(path)));
	const depends = dependencies(outputs.map(({ stdout }) => stdout));
	await write("control", control(edition, ["libbpf1", ...depends], await kilobytes(files)));

	const paths = files.map((path) => relative(root, path));
	await write(
		"conffiles",
		paths
			.filter((path) => path.startsWith("etc/"))
			.map((path) => `/${path}\n`)
			.join(""),
	);
	const sums = paths.map(async (path) => `${await md5(join(root, path))}  ${path}\n`);
	await write("md5sums", (await Promise.all(sums)).join(""));

	for (const name of SCRIPTS) {
		await cp(join(repository, "systemd", "packaging", "debian", name), join(folder, name));
	}
}

/** @param size in KiB, once installed */
export function control(edition: Edition, depends: readonly string[], size: number): string {
	return `Package: solistend
Version: ${edition.version}
Architecture: ${edition.architecture}
Maintainer: The solistend authors <solistend@localhost>
Installed-Size: ${size}
Depends: ${[...depends, "systemd | systemd-standalone-sysusers | systemd-sysusers"].join(", ")}
Suggests: haproxy | nginx, polkitd, redis-server
Section: net
Priority: optional
Description: keeps a proxy's backends equal to what is really listening
 solistend is told by the kernel, through eBPF, the moment any process on the
 host starts or stops listening on a TCP port, in any container's network
 namespace, and keeps the backends of HAProxy, Nginx or any other program
 equal to that: in milliseconds, without health checks and without a registry.
 .
 It comes with its own Node.js, and needs a kernel of 5.10 or newer with BTF.
`;
}

/** All files, in order. */
async function filesBelow(folder: string): Promise<string[]> {
	const entries = await readdir(folder, { withFileTypes: true, recursive: true });
	return entries
		.filter((entry) => entry.isFile())
		.map(({ parentPath, name }) => join(parentPath, name))
		.sort();
}

/** As dpkg counts: each file in whole KiB, and one for each of the rest. */
async function kilobytes(files: readonly string[]): Promise<number> {
	const sizes = await Promise.all(files.map((path) => stat(path)));
	return sizes.reduce((sum, { size }) => sum + Math.ceil(size / 1024), 0);
}

const md5 = async (path: string): Promise<string> =>
	createHash("md5")
		.update(await readFile(path))
		.digest("hex");
