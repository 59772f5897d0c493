import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { bundle } from "../../../systemd/packaging/bundle.js";
import { bundledPackages } from "../../../systemd/packaging/copyright.js";
import { type Bundled, indented, notices, stanzas } from "../../../systemd/packaging/licences.js";
import { TERMS } from "../../../systemd/packaging/terms.js";

const REPOSITORY = fileURLToPath(new URL("../../..", import.meta.url));

const one = (changes: Partial<Bundled>): Bundled => ({
	name: "one",
	files: "usr/lib/solistend/dist/*.js",
	licence: "MIT",
	text: `MIT License\n\nCopyright (c) 2020 Ada Example\n\n${TERMS["Expat"]}`,
	author: "Somebody",
	notices: [],
	...changes,
});

describe("what is bundled", async () => {
	const packages = await bundle();

	test("is all on terms that are known, and names who made it", async () => {
		const bundled = await bundledPackages(REPOSITORY, packages);
		expect(stanzas(bundled)).toContain("Files: usr/lib/solistend/dist/*.js\nCopyright: ");
		expect(notices(bundled)).toContain("ioredis (MIT)\n");
	});

	test("is nothing that only the tests need, and nothing with native parts", () => {
		expect(packages).toContain("node_modules/handlebars");
		expect(packages).not.toContain("node_modules/vitest");
		expect(packages).not.toContain("node_modules/koffi");
	});
});

describe("the stanzas", () => {
	test("name who holds the copyright, and share the terms", () => {
		expect(stanzas([one({}), one({ name: "another" })])).toBe(`Files: usr/lib/solistend/dist/*.js
Copyright: (c) 2020 Ada Example
License: Expat

License: Expat
${indented(TERMS["Expat"] ?? "")}
`);
	});

	test("pass on terms that differ from the usual ones in their own words", () => {
		const text = `Copyright (c) 2020 Ada Example\n\n${TERMS["Expat"]}\n`.replace("without restriction", "on Sundays");
		const made = stanzas([one({ text }), one({ name: "@a/usual" })]);
		expect(made).toContain("License: Expat and Expat-of-one\n");
		expect(made).toMatch(/^License: Expat\n(?:(?!^License)[\s\S])*without restriction/m);
		expect(made).toMatch(/^License: Expat-of-one\n(?:(?!^License)[\s\S])*on Sundays/m);
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

	test("are passed on as they are where there is no copyright file, or as they are known", () => {
		expect(notices([one({}), one({ name: "two", text: undefined })])).toMatch(
			/^one \(MIT\)\n\nMIT License[\s\S]*\ntwo \(MIT\)\n\nCopyright Somebody\n\nPermission is/,
		);
	});

	test("mark empty lines, as a field needs it", () => {
		expect(indented("one\n\n  two  \n")).toBe(" one\n .\n   two");
	});
});
