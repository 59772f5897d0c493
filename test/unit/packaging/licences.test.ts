import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { bundledPackages } from "../../../systemd/packaging/copyright.js";
import { type Bundled, indented, stanzas } from "../../../systemd/packaging/licences.js";
import { productionPackages } from "../../../systemd/packaging/lock.js";
import { TERMS } from "../../../systemd/packaging/terms.js";

const REPOSITORY = fileURLToPath(new URL("../../..", import.meta.url));

const one = (changes: Partial<Bundled>): Bundled => ({
	files: "usr/lib/solistend/node_modules/one/*",
	licence: "MIT",
	text: `MIT License\n\nCopyright (c) 2020 Ada Example\n\n${TERMS["Expat"]}`,
	author: "Somebody",
	notices: [],
	...changes,
});

describe("what is bundled", () => {
	test("is all on terms that are known, and names who made it", async () => {
		const packages = await productionPackages(REPOSITORY);
		expect(packages).toContain("node_modules/koffi");
		const text = stanzas(await bundledPackages(REPOSITORY, packages));
		for (const path of packages) expect(text).toContain(`Files: usr/lib/solistend/${path}/*\nCopyright: `);
	});

	test("is nothing that only the tests need", async () => {
		expect(await productionPackages(REPOSITORY)).not.toContain("node_modules/vitest");
	});
});

describe("the stanzas", () => {
	test("name who holds the copyright, and share the terms", () => {
		expect(stanzas([one({})])).toBe(`Files: usr/lib/solistend/node_modules/one/*
Copyright: (c) 2020 Ada Example
License: Expat

License: Expat
${indented(TERMS["Expat"] ?? "")}
`);
	});

	test("pass on terms that differ from the usual ones in their own words", () => {
		const text = `Copyright (c) 2020 Ada Example\n\n${TERMS["Expat"]}\n`.replace("without restriction", "on Sundays");
		const made = stanzas([one({ text })]);
		expect(made).toContain("on Sundays");
		expect(made).not.toContain("without restriction");
	});

	test("name the author where the licence file names nobody", () => {
		expect(stanzas([one({ text: TERMS["Expat"] })])).toContain("Copyright: Somebody\n");
	});

	test("are refused for a licence that is not known", () => {
		expect(() => stanzas([one({ licence: "SSPL-1.0" })])).toThrow('under "SSPL-1.0", which is not known here');
		expect(() => stanzas([one({ licence: "none" })])).toThrow("not known here");
	});

	test("are refused where nobody is named, terms are missing, or a notice would be lost", () => {
		expect(() => stanzas([one({ text: undefined, author: undefined })])).toThrow("names nobody");
		expect(() => stanzas([one({ licence: "BSD-3-Clause", text: undefined })])).toThrow("has no licence text");
		expect(() => stanzas([one({ notices: ["NOTICE"] })])).toThrow("has NOTICE");
	});

	test("mark empty lines, as a field needs it", () => {
		expect(indented("one\n\n  two  \n")).toBe(" one\n .\n   two");
	});
});
