/** The npm package, installed for all users as docs/quick-start.md has it, with its units. */

import { access } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bootSystem } from "../host/booted-system.js";
import { eventually } from "../host/eventually.js";
import { requirePrivileges, skipPrivileged } from "../host/privileges.js";
import { type TempFolder, tempFolder } from "../host/temp-folder.js";
import { readPage } from "./page.js";

requirePrivileges();

const REPOSITORY = fileURLToPath(new URL("../..", import.meta.url));
const QUICK_START = new URL("../../docs/quick-start.md", import.meta.url);
const NPM_PART = "With npm";

/** Where npm keeps what is installed for all users, with a Node that is /usr/local/bin/node. */
const MODULES = "/usr/local/lib/node_modules";

describe.skipIf(skipPrivileged)("npm install --global", () => {
	let prefix: TempFolder;

	beforeAll(async () => {
		prefix = await tempFolder();
		// built already; `prepack` would only build again
		const packing = ["pack", "--ignore-scripts", "--silent", "--pack-destination", prefix.path];
		const { stdout } = await execa("npm", packing, { cwd: REPOSITORY });
		const archive = join(prefix.path, stdout.trim());
		await execa("npm", ["install", "--global", "--no-audit", "--no-fund", `--prefix=${prefix.path}`, archive]);
	});

	afterAll(() => prefix?.close());

	test("gives a command that works, and the units", async () => {
		const { stdout: listed } = await execa(join(prefix.path, "bin", "solistend"), ["ls", "--json"]);
		expect(Array.isArray(JSON.parse(listed))).toBe(true);

		const { text } = await readPage(QUICK_START);
		const named = text.split("\n").flatMap((line) => {
			const words = /^install -D -m 644 (?:-t \S+ )?(.*?)(?: \/\S+)?$/.exec(line)?.[1];
			return words === undefined ? [] : words.split(" ");
		});
		expect(named).toContain("solistend.service");
		for (const name of named) await access(join(prefix.path, "lib", "node_modules", "solistend", "systemd", name));
	});

	test("leads to a service by the steps of the page, also a second time", async () => {
		const { stdout: ownModules } = await execa("npm", ["root", "--global"]);
		await using system = await bootSystem([
			[process.execPath, "/usr/local/bin/node"],
			[join(ownModules, "npm"), "/npm"],
			[join(prefix.path, "lib/node_modules/solistend"), "/installed"],
		]);
		const { sh } = system;
		// what npm and apt have done before these steps
		await sh(`
			mkdir -p ${MODULES} && cp -r --no-preserve=ownership /installed ${MODULES}/solistend
			ln -s ${MODULES}/solistend/dist/solistend.js /usr/local/bin/solistend
			ln -s /npm/bin/npm-cli.js /usr/local/bin/npm
			apt-get -qq -y --no-download --no-install-recommends install libbpf1 polkitd >/dev/null`);
		const page = await readPage(QUICK_START);
		await sh(`cat >/run/example.yaml <<'END'\n${page.block("Debian and Ubuntu, with HAProxy", "yaml")}END`);
		await sh(
			`printf '#!/bin/sh\\ncat /run/example.yaml >"$1"\\n' >/usr/local/bin/editor && chmod +x /usr/local/bin/editor`,
		);

		const steps = page.block(NPM_PART, "sh", 1);
		await sh(steps);
		expect(await sh("systemd-analyze verify --man=no solistend.service solistend-apply@edge.service")).toBe("");
		await sh("systemctl restart haproxy && systemctl enable --quiet --now solistend");
		expect(await sh("solistend status")).toMatch(/edge +haproxy +applied/);
		// the file that it has is root's work, which the daemon may ask for
		expect(await sh("stat -c %U /var/lib/solistend-live/haproxy/edge.cfg")).toBe("root");
		// the journal takes in what a unit wrote some time after that
		await eventually("its words", async () => {
			return (await sh("journalctl -q -o cat -u solistend-apply@edge")).includes("edge: applied");
		});
		expect(
			(await system.try("curl --silent --output /dev/null --write-out %{http_code} http://127.0.0.1/")).output,
		).toBe("503");

		await sh(`${steps}\nsystemctl restart solistend`);
		expect(await sh("systemctl is-active solistend haproxy")).toBe("active\nactive");
	});
});
