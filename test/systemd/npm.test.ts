/** The npm package, installed for all users as docs/quick-start.md has it. */

import { access, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { expect, test } from "vitest";
import { requirePrivileges, skipPrivileged } from "../host/privileges.js";
import { tempFolder } from "../host/temp-folder.js";

requirePrivileges();

const REPOSITORY = fileURLToPath(new URL("../..", import.meta.url));

test.skipIf(skipPrivileged)("npm install --global gives a command that works, and the units", async () => {
	await using folder = await tempFolder();
	// built already; `prepack` would only build again
	const { stdout } = await execa("npm", ["pack", "--ignore-scripts", "--silent", "--pack-destination", folder.path], {
		cwd: REPOSITORY,
	});
	const archive = join(folder.path, stdout.trim());
	await execa("npm", ["install", "--global", "--no-audit", "--no-fund", `--prefix=${folder.path}`, archive]);
	const command = join(folder.path, "bin", "solistend");
	const { stdout: listed } = await execa(command, ["ls", "--json"]);
	expect(Array.isArray(JSON.parse(listed))).toBe(true);

	const page = await readFile(join(REPOSITORY, "docs", "quick-start.md"), "utf8");
	const named = page.split("\n").flatMap((line) => {
		const words = /^install -D -m 644 (?:-t \S+ )?(.*?)(?: \/\S+)?$/.exec(line)?.[1];
		return words === undefined ? [] : words.split(" ");
	});
	expect(named).toContain("solistend.service");
	for (const name of named) await access(join(folder.path, "lib", "node_modules", "solistend", "systemd", name));
});
