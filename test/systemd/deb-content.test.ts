/** What is in the Debian package, for both architectures, looked at from outside. */

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { packageDeb } from "../../systemd/packaging/deb.js";
import { ARCHITECTURES, type Architecture, NODE_VERSION } from "../../systemd/packaging/platform.js";
import { type TempFolder, tempFolder } from "../host/temp-folder.js";

/** As `readelf --file-header` calls them. */
const MACHINES: Record<Architecture, string> = { amd64: "Advanced Micro Devices X86-64", arm64: "AArch64" };

const HOME = "usr/lib/solistend";

describe.each(ARCHITECTURES)("the Debian package for %s", (architecture) => {
	let folder: TempFolder;
	let file: string;
	let root: string;

	beforeAll(async () => {
		folder = await tempFolder();
		vi.stubEnv("SOURCE_DATE_EPOCH", "1700000000");
		file = await packageDeb({ arch: architecture, out: folder.path, fast: true });
		root = join(folder.path, "root");
		await execa("dpkg-deb", ["--raw-extract", file, root]);
	});

	afterAll(() => {
		vi.unstubAllEnvs();
		return folder.close();
	});

	test("has programs of that architecture only, and a BPF object that any kernel takes", async () => {
		const entries = await readdir(root, { withFileTypes: true, recursive: true });
		const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
		const elf: string[] = [];
		for (const path of paths) {
			if ((await readFile(path)).subarray(0, 4).toString("latin1") === "\x7fELF") elf.push(path);
		}
		const machines = await Promise.all(
			elf.map(async (path) => {
				const { stdout } = await execa("readelf", ["--file-header", path]);
				return [path.slice(root.length + 1), /Machine:\s+(.*)/.exec(stdout)?.[1]];
			}),
		);
		const cpu = architecture === "amd64" ? "x64" : architecture;
		expect(Object.fromEntries(machines)).toEqual({
			[`${HOME}/bin/node`]: MACHINES[architecture],
			[`${HOME}/node_modules/@koromix/koffi-linux-${cpu}/linux_${cpu}/koffi.node`]: MACHINES[architecture],
			[`${HOME}/dist/bpf/solistend.bpf.o`]: "Linux BPF",
		});
		const control = await readFile(join(root, "DEBIAN", "control"), "utf8");
		expect(control).toContain(`\nArchitecture: ${architecture}\n`);
		expect(control).toMatch(/\nDepends: libbpf1, libc6 \(>= [\d.]+\), libgcc-s1, libstdc\+\+6 \(>= [\d.]+\), systemd /);
		expect(await readFile(join(root, HOME, "bin", "node"), "latin1")).toContain(`v${NODE_VERSION}`);
	});

	// it reads all of Node, which is a hundred megabytes
	test("has no errors and no warnings by Debian's rules", { timeout: 300_000 }, async () => {
		const words = ["--allow-root", "--fail-on", "none", "--tag-display-limit", "0", file];
		// it leaves files of its own behind
		const { stdout } = await execa("lintian", words, { env: { TMPDIR: folder.path } });
		expect(stdout.split("\n").filter((line) => /^[EW]: /.test(line))).toEqual([]);
	});

	test("has the units, the page, manual pages that read well, and scripts that shells take", async () => {
		for (const path of [
			"etc/solistend/solistend.yaml",
			"usr/lib/systemd/system/haproxy.service.d/solistend.conf",
			"usr/lib/systemd/system/solistend.service",
			"usr/lib/sysusers.d/solistend.conf",
			`${HOME}/dist/page/browser.js`,
			`${HOME}/dist/page/page.css`,
			`${HOME}/templates/haproxy-backends.cfg.hbs`,
			"usr/lib/tmpfiles.d/solistend.conf",
			"usr/share/doc/solistend/quick-start.md",
		]) {
			expect((await readFile(join(root, path), "utf8")).length).toBeGreaterThan(0);
		}
		for (const page of ["man8/solistend.8.gz", "man5/solistend.yaml.5.gz"]) {
			const { stdout } = await execa("mandoc", ["-T", "lint", "-W", "warning", join(root, "usr/share/man", page)]);
			expect(stdout).toBe("");
		}
		for (const script of ["postinst", "prerm", "postrm"]) await execa("sh", ["-n", join(root, "DEBIAN", script)]);
		await execa("bash", ["-n", join(root, "usr/share/bash-completion/completions/solistend")]);
		await execa("zsh", ["-n", join(root, "usr/share/zsh/vendor-completions/_solistend")]);
		await execa("fish", ["--no-execute", join(root, "usr/share/fish/vendor_completions.d/solistend.fish")]);
	});

	test("is the same, byte for byte, when it is built again for the same time", async () => {
		const again = await packageDeb({ arch: architecture, out: join(folder.path, "again"), fast: true });
		expect((await readFile(again)).equals(await readFile(file))).toBe(true);
	});
});
