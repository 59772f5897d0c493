import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { formatProblem, parseConfig } from "../../../src/config/load.js";
import { aclRules } from "../../../src/fleet/redis/acl.js";
import { ENTRY, FIELDS, keysOf } from "../../../src/fleet/redis/keys.js";

const page = readFileSync(new URL("../../../docs/fleet.md", import.meta.url), "utf8");

describe("the page docs/fleet.md", () => {
	test("has the rights that each kind of host needs, to be copied", () => {
		for (const role of ["both", "publish", "subscribe"] as const) {
			expect(page).toContain(`ACL SETUSER solistend on >PASSWORD ${aclRules(role, "default").join(" ")}\n`);
		}
		const more = aclRules("both", "default", true).filter((rule) => !aclRules("both", "default").includes(rule));
		for (const rule of more) expect(page).toContain(`\`${rule}\``);
	});

	test("tells of every key in Redis, its fields, and what an entry of the stream holds", () => {
		const { leases, edges, changes, host } = keysOf("CLUSTER");
		for (const key of [leases, edges, changes, host("NAME")]) expect(page).toContain(`| \`${key}\``);
		for (const field of Object.values(FIELDS)) expect(page).toContain(`\`${field}\``);
		for (const field of Object.values(ENTRY)) expect(page).toContain(`\`${field}\``);
	});

	test("has examples that are valid", () => {
		const examples = [...page.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map(([, text = ""]) => text);
		expect(examples.length).toBeGreaterThan(2);
		for (const text of examples) {
			const loaded = parseConfig(text, "fleet.md");
			expect(loaded.ok ? [] : loaded.problems.map(formatProblem)).toEqual([]);
		}
	});
});
