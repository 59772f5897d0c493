import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { formatProblem, parseConfig } from "../../../src/config/load.js";
import { referenceRows } from "../../../src/config/reference.js";
import { shellCompletion } from "../../../systemd/packaging/completions.js";
import { control } from "../../../systemd/packaging/control.js";
import { dependencies } from "../../../systemd/packaging/depends.js";
import { firstBackend } from "../../../systemd/packaging/first-backend.js";
import { commandManual, configurationManual } from "../../../systemd/packaging/manual.js";
import { isModule } from "../../../systemd/packaging/modules.js";
import { debianVersion } from "../../../systemd/packaging/version.js";
import { wrapper } from "../../../systemd/packaging/wrapper.js";

const read = (path: string): string => readFileSync(new URL(`../../../${path}`, import.meta.url), "utf8");

const EDITION = { version: "1.2.3", date: "2026-11-25" };

describe("the packaged configuration", () => {
	const packaged = read("systemd/packaging/debian/solistend.yaml");

	test("is valid as it is, and has no proxy", () => {
		const loaded = parseConfig(packaged, "solistend.yaml");
		expect(loaded.ok ? loaded.config.proxies : loaded.problems.map(formatProblem)).toEqual([]);
	});

	test("has the example of the quick start in it", () => {
		const [, shown = ""] = /^```yaml\n([\s\S]*?)^```$/m.exec(read("docs/quick-start.md")) ?? [];
		expect(firstBackend(packaged)).toBe(shown);
	});
});

test("the quick start's examples are valid", () => {
	const blocks = [...read("docs/quick-start.md").matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map(([, text = ""]) => text);
	expect(blocks.map((text) => parse(text).proxies[0].type)).toEqual(["haproxy", "nginx"]);
	for (const text of blocks) {
		const loaded = parseConfig(text, "solistend.yaml");
		expect(loaded.ok ? [] : loaded.problems.map(formatProblem)).toEqual([]);
	}
});

describe("what programs need of the system", () => {
	const needed = (name: string) => ` 0x0000000000000001 (NEEDED)             Shared library: [${name}]\n`;

	test("are Debian's packages, as new as the newest symbol that is used", () => {
		const node = `${needed("libstdc++.so.6")}${needed("libc.so.6")} Name: GLIBC_2.9 Name: GLIBC_2.28 Name: GLIBCXX_3.4.21`;
		const koffi = `${needed("libgcc_s.so.1")}${needed("libm.so.6")} Name: GLIBC_2.17`;
		expect(dependencies([node, koffi])).toEqual(["libc6 (>= 2.28)", "libgcc-s1", "libstdc++6 (>= 5.2)"]);
	});

	test("is never a library that nobody has looked up", () => {
		expect(() => dependencies([needed("libssl.so.3")])).toThrow("no package is known for libssl.so.3");
		expect(() => dependencies([`${needed("libstdc++.so.6")} GLIBCXX_3.4.99`])).toThrow("GLIBCXX_3.4.99");
	});

	test("stands in the control file", () => {
		const edition = {
			version: "1.2.3-1",
			upstream: "1.2.3",
			description: "",
			epoch: 0,
			architecture: "arm64",
		} as const;
		const text = control(edition, ["libbpf1"], 42);
		expect(text).toContain("\nVersion: 1.2.3-1\nArchitecture: arm64\n");
		expect(text).toContain("\nDepends: libbpf1, systemd ");
	});
});

describe("the manual pages", () => {
	test("have every key, with what roff would take for its own marked", () => {
		const page = configurationManual(EDITION, referenceRows(), "services:\n  web: {}\n");
		for (const [key = ""] of referenceRows()) {
			expect(page).toContain(`\n.B ${key.replaceAll("`", "").replaceAll("-", "\\-")}\n`);
		}
		expect(page).toContain('.TH SOLISTEND.YAML 5 2026-11-25 "solistend 1.2.3"');
	});

	test("have each command's help as it is", () => {
		const page = commandManual(EDITION, [
			{ name: "explain", help: "solistend explain\n\n  .dot  \\ and 'quote'\n.line" },
		]);
		expect(page).toContain(".SS explain\n.nf\nsolistend explain\n\n  .dot  \\e and 'quote'\n\\&.line\n.fi\n");
	});
});

describe("the command", () => {
	test("runs with the environment and the options of the program's first line, on the packaged Node", () => {
		const script = wrapper("#!/usr/bin/env -S A=1 B=2 node --one --two=3\nrest");
		expect(script).toContain("export A=1\nexport B=2\n");
		expect(script).toContain(
			'exec /usr/lib/solistend/bin/node --one --two=3 /usr/lib/solistend/dist/solistend.js "$@"\n',
		);
	});

	test("knows the first line that the program has", () => {
		expect(wrapper(read("src/cli/index.ts"))).toContain("--max-semi-space-size");
	});

	test("can't be made for another first line", () => {
		expect(() => wrapper("#!/usr/bin/env node\n")).toThrow("does not begin with");
	});
});

test("modules are taken without what only their authors need", () => {
	const paths = ["dist/doc/Document.js", "package.json", "linux_x64/koffi.node"];
	expect(paths.filter((path) => !isModule(path))).toEqual([]);
	const others = ["README.md", "test/all.js", "index.d.ts", "node_modules/x/index.js", ".eslintrc.json", "src/a.cc"];
	expect(others.filter(isModule)).toEqual([]);
});

test("a version before a release comes before it in Debian, too", () => {
	expect(debianVersion("1.0.0")).toBe("1.0.0-1");
	expect(debianVersion("1.0.0-rc.1")).toBe("1.0.0~rc.1-1");
});

test("completion scripts are taken without the words on how to install them", () => {
	const script =
		"#compdef solistend\n###-begin-x-###\n#\n# yargs command completion script\n# Installation: a\n#    or b\n_x() {\n}";
	expect(shellCompletion(script)).toBe("#compdef solistend\n_x() {\n}\n");
});
