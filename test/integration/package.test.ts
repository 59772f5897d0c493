import { symlink } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { describe, expect, test } from "vitest";
import { requirePrivileges, skipPrivileged } from "../host/privileges.js";
import { tempFolder } from "../host/temp-folder.js";

requirePrivileges();

const REPOSITORY = fileURLToPath(new URL("../..", import.meta.url));

describe.skipIf(skipPrivileged)("the npm package", () => {
	test("has all that an edge host needs, the BPF object included: no compiler", async () => {
		await using folder = await tempFolder();
		// built already; `prepack` would only build again
		const { stdout } = await execa("npm", ["pack", "--ignore-scripts", "--json", "--pack-destination", folder.path], {
			cwd: REPOSITORY,
		});
		const [packed]: { filename: string; files: { path: string }[] }[] = JSON.parse(stdout);
		const paths = packed?.files.map(({ path }) => path) ?? [];
		for (const path of [
			"LICENSE",
			"README.md",
			"dist/LICENCES.txt",
			"dist/bpf/solistend.bpf.o",
			"dist/page/page.css",
			"dist/solistend.js",
			"dist/worker.js",
			"docs/quick-start.md",
			"docs/solistend.schema.json",
			"systemd/50-solistend.rules",
			"systemd/haproxy.service.d/solistend.conf",
			"systemd/solistend-apply@.service",
			"systemd/solistend-prepare.service",
			"systemd/solistend.service",
			"systemd/solistend.sysusers",
			"systemd/solistend.tmpfiles",
			"templates/haproxy-backends.cfg.hbs",
			"templates/haproxy.cfg.hbs",
		]) {
			expect(paths).toContain(path);
		}
		expect(paths.filter((path) => /^(test|src|systemd\/packaging)\/|\.deb$/.test(path))).toEqual([]);

		await execa("tar", ["-xzf", packed?.filename ?? "", "-C", folder.path], { cwd: folder.path });
		await symlink(join(REPOSITORY, "node_modules"), join(folder.path, "node_modules"));
		const command = join(folder.path, "package", "dist", "solistend.js");
		const { stdout: listed } = await execa(command, ["ls", "--json"]);
		expect(Array.isArray(JSON.parse(listed))).toBe(true);
		const { stdout: version } = await execa(command, ["--version"]);
		expect(packed?.filename).toBe(`solistend-${version}.tgz`);
	});
});
