/**
 * What the VM runs from: Node with its libraries, busybox, the suite as JavaScript and the BPF object, as an initramfs.
 * Knows nothing of kernels or cases.
 */

import { chmod, copyFile, cp, mkdir, mkdtemp, realpath, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const HERE = fileURLToPath(new URL(".", import.meta.url));

/** What is compiled, and where it stands in the VM: as in the project, so that the parts find each other. */
const SUITE = "/suite";

/**
 * Compiles the suite with the sources that it uses, and packs all into a file in `folder`.
 *
 * @returns the file's path
 */
export async function makeInitramfs(folder: string): Promise<string> {
	const root = await mkdtemp(join(folder, "root-"));
	// So that a user who is not root can pass, too.
	await chmod(root, 0o755);
	for (const path of ["bin", "usr/bin", "dev", "proc", "sys", "tmp", "etc", `${SUITE}/dist/bpf`]) {
		await mkdir(join(root, path), { recursive: true });
	}

	await execa("node_modules/.bin/tsc", ["-p", "test/kernels", "--outDir", join(root, SUITE)], { cwd: ROOT });
	await copyFile(join(ROOT, "package.json"), join(root, SUITE, "package.json"));
	await copyFile(join(ROOT, "dist/bpf/solistend.bpf.o"), join(root, SUITE, "dist/bpf/solistend.bpf.o"));
	const koffi = ["node_modules/koffi", "node_modules/@koromix/koffi-linux-x64"];
	for (const name of koffi) await cp(join(ROOT, name), join(root, SUITE, name), { recursive: true, dereference: true });

	await copyFile("/bin/busybox", join(root, "bin/busybox"));
	const { stdout: applets } = await execa("/bin/busybox", ["--list"]);
	for (const applet of applets.split("\n")) {
		if (applet !== "busybox") await symlink("busybox", join(root, "bin", applet));
	}
	await execa("gcc", ["-static", "-O2", "-Wall", "-Werror", "-o", join(root, "bin/sockets"), join(HERE, "sockets.c")]);
	// after busybox, whose setpriv can less
	await program(root, "/usr/bin/node", process.execPath);
	await program(root, "/usr/bin/setpriv", await which("setpriv"));
	await libraries(root, await library("libbpf.so.1"));
	await copyFile(join(HERE, "init.sh"), join(root, "init"));
	await chmod(join(root, "init"), 0o755);
	await writeFile(join(root, "etc/passwd"), "root:x:0:0::/:/bin/sh\nsensor:x:1000:1000::/:/bin/sh\n");

	const archive = join(folder, "initramfs.cpio");
	await execa("sh", ["-c", 'find . | cpio --quiet -o -H newc -R 0:0 >"$0"', archive], { cwd: root });
	return archive;
}

const which = async (name: string) => (await execa("sh", ["-c", 'command -v "$0"', name])).stdout;

/** Where the dynamic linker finds a library. */
async function library(name: string): Promise<string> {
	const { stdout } = await execa("/sbin/ldconfig", ["-p"]);
	const path = stdout
		.split("\n")
		.find((line) => line.trim().startsWith(`${name} `))
		?.split(" => ")[1];
	if (path === undefined) throw new Error(`${name} is not installed`);
	return path;
}

/** Copies a program to `path` in `root`, and what it loads to where it is here. */
async function program(root: string, path: string, from: string): Promise<void> {
	await copyFile(await realpath(from), join(root, path));
	await libraries(root, from);
}

/** Copies what a program or library loads, and a library itself, to where they are here. */
async function libraries(root: string, file: string): Promise<void> {
	const { stdout } = await execa("ldd", [file]);
	const paths = [...stdout.matchAll(/(\/\S+) \(0x/g)].map(([, path = ""]) => path);
	for (const path of [...paths, ...(file.includes(".so") ? [file] : [])]) {
		await mkdir(dirname(join(root, path)), { recursive: true });
		await copyFile(await realpath(path), join(root, path));
	}
}
