import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { templateContext } from "../../../src/proxies/context.js";
import { HELPERS } from "../../../src/proxies/helpers.js";
import { loadTemplate } from "../../../src/proxies/render.js";
import { backend, PACKAGED, proxyConfig, service } from "../../desired.js";

const page = await readFile(new URL("../../../docs/templates.md", import.meta.url), "utf8");

let folder: string;

beforeAll(async () => {
	folder = await mkdtemp(join(tmpdir(), "solistend-doc-"));
});

afterAll(() => rm(folder, { recursive: true }));

/** Each example is a template, its context and the result. */
const examples = [...page.matchAll(/^### (\w+)$|```hbs\n(.*?)```\n\n```json\n(.*?)```\n\n```text\n(.*?)```/gms)];

describe("docs/templates.md", () => {
	let heading = "";
	const cases = examples.flatMap(([, title, template, context, result]) => {
		if (title !== undefined) heading = title;
		return template === undefined ? [] : [{ title: heading, template, context: context ?? "", result }];
	});

	test.each(cases)("its example of $title gives what it says", async ({ template, context, result }) => {
		const file = join(folder, "example.hbs");
		await writeFile(file, template);
		const loaded = await loadTemplate(file, []);
		expect(loaded.render(JSON.parse(context))).toBe(result);
	});

	test("has no example that the test does not see", () => {
		expect(cases).toHaveLength([...page.matchAll(/```hbs/g)].length);
	});

	test("describes every helper, and no other, with an example", () => {
		expect(cases.map(({ title }) => title).sort()).toEqual(Object.keys(HELPERS).sort());
	});

	test("lists exactly the names that a template sees", () => {
		const section = page.slice(page.indexOf("## What a template sees"), page.indexOf("## Strictness"));
		const listed = [...section.matchAll(/^\| `([^`]+)` +\|/gm)].map(([, name]) => name);
		const slots = [{ name: "s1", address: "10.0.0.1", port: 80, weight: 100, state: "ready" }] as const;
		const desired = [service("web", [backend("web", "10.0.0.1")])];
		const context = templateContext(proxyConfig(), "h", desired, new Map([["web", slots]]));
		expect(listed).toEqual(namesOf(context));
	});

	test("lists exactly the templates that are packaged, with the options that they read", async () => {
		const section = page.slice(page.indexOf("## What is packaged"), page.indexOf("## What a template sees"));
		const rows = [...section.matchAll(/^\| `([^`]+\.hbs)` +\|.*?\|(.*?)\|(.*?)\|$/gm)];
		expect(rows.map(([, name]) => name)).toEqual((await readdir(PACKAGED[0] ?? "")).sort());
		for (const [, name = "", proxyOptions = "", serviceOptions = ""] of rows) {
			const loaded = await loadTemplate(name, PACKAGED);
			const text = (await Promise.all(loaded.files.map((file) => readFile(file, "utf8")))).join("");
			expect(namesIn(proxyOptions)).toEqual(optionsRead(text, "proxy"));
			expect(namesIn(serviceOptions)).toEqual(optionsRead(text, "service"));
		}
	});
});

/** `services[].name` and the like, in the order in which they stand. */
function namesOf(value: object, prefix = ""): string[] {
	return Object.entries(value).flatMap(([key, inner]: [string, unknown]) => {
		const name = `${prefix}${key}`;
		if (Array.isArray(inner)) {
			const [first] = inner;
			return typeof first === "object" && first !== null ? [`${name}[]`, ...namesOf(first, `${name}[].`)] : [name];
		}
		if (typeof inner === "object" && inner !== null && key !== "options") return namesOf(inner, `${name}.`);
		return [name];
	});
}

function namesIn(cell: string): string[] {
	return [...cell.matchAll(/`(\w+)`/g)].map(([, name = ""]) => name).sort();
}

function optionsRead(text: string, owner: "proxy" | "service"): string[] {
	return [
		...new Set([...text.matchAll(new RegExp(`${owner}\\.options\\.(\\w+)`, "g"))].map(([, name = ""]) => name)),
	].sort();
}
