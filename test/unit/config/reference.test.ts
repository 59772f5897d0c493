import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { formatProblem, parseConfig } from "../../../src/config/load.js";
import { schemaFile, withReference } from "../../../src/config/reference.js";

const docs = (name: string): string => readFileSync(new URL(`../../../docs/${name}`, import.meta.url), "utf8");

const page = docs("configuration.md");

/** The fenced blocks of a language on the page, in order, with the heading that each stands under. */
function blocks(language: string): { readonly heading: string; readonly text: string }[] {
	return [...page.matchAll(new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\`$`, "gm"))].map(
		({ index, 1: text = "" }) => ({
			heading: [...page.slice(0, index).matchAll(/^#+ (.*)$/gm)].at(-1)?.[1] ?? "",
			text,
		}),
	);
}

describe("what is generated", () => {
	test("the JSON Schema in docs/ is that of the schema (npm run generate)", () => {
		expect(docs("solistend.schema.json")).toBe(schemaFile());
	});

	test("the reference in docs/configuration.md is that of the schema (npm run generate)", () => {
		expect(page).toBe(withReference(page));
	});

	test("does not depend on the host that generates it", () => {
		expect(JSON.parse(schemaFile()).properties.host).not.toHaveProperty("default");
	});

	test("says of every key what it means", () => {
		const empty = page.split("\n").filter((line) => /^\| `.*\|\s*\|$/.test(line));
		expect(empty).toEqual([]);
	});

	test("cannot be put into a page without its marks", () => {
		expect(() => withReference("# Configuration\n")).toThrow("lacks the lines");
	});
});

describe("the page docs/configuration.md", () => {
	test("has examples, and all are valid but the one that shows problems", () => {
		const outcomes = blocks("yaml").map(({ heading, text }) => {
			const loaded = parseConfig(text, heading);
			return { heading, problems: loaded.ok ? [] : loaded.problems.map(formatProblem) };
		});
		expect(outcomes.map(({ heading }) => heading)).toEqual([
			"Configuration",
			"A full example",
			"Ready",
			"Leaving",
			"Nginx",
			"Any program that reads a file",
			"Problems",
			"A proxy in a container",
			"In your editor",
		]);
		for (const { heading, problems } of outcomes) {
			if (heading === "Problems") expect(problems).not.toEqual([]);
			else expect(problems).toEqual([]);
		}
	});

	test("has examples that the JSON Schema judges alike", () => {
		const schema = z.fromJSONSchema(JSON.parse(schemaFile()));
		const judged = (title: string): boolean =>
			schema.safeParse(parse(blocks("yaml").find(({ heading }) => heading === title)?.text ?? "")).success;
		expect(judged("Configuration")).toBe(true);
		expect(judged("A full example")).toBe(true);
		expect(judged("Problems")).toBe(false);
	});

	test("shows the problems as they are reported", () => {
		const input = blocks("yaml").find(({ heading }) => heading === "Problems")?.text ?? "";
		const loaded = parseConfig(input, "edge.yaml");
		const output = loaded.ok ? [] : loaded.problems.map((problem) => `${formatProblem(problem)}\n`);
		expect(blocks("text").map(({ text }) => text)).toEqual([output.join("")]);
	});

	test("shows every key in its full example", () => {
		const example = blocks("yaml").find(({ heading }) => heading === "A full example")?.text ?? "";
		const keys = page.split("\n").flatMap(
			(line) =>
				/^\| `([^`]+)`/
					.exec(line)?.[1]
					?.split(/\.|\[\]\.?/)
					.at(-1) ?? [],
		);
		expect(keys.length).toBeGreaterThan(30);
		expect(keys.filter((key) => !new RegExp(`\\b${key}:`).test(example))).toEqual([]);
	});
});
