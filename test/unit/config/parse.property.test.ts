import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { formatProblem, parseConfig } from "../../../src/config/load.js";
import { parseDuration } from "../../../src/duration.js";

const VALID = `host: edge-1
addresses: [10.0.0.0/8]
services:
  web: &web
    match: {port: [80, 8000-8099], comm: "ngin*"}
    lastGrace: 3s
  "api": *web
settle:
  quiet: 100ms
proxies:
  - name: edge
    type: haproxy
    output: /run/edge.cfg
    reload: [systemctl, reload, 'haproxy']
    services: [web]
fleet:
  redis: {url: rediss://a:1, username: u, passwordFile: /p, tls: {ca: /ca}}
  zone: north
  zones: {south: 20%}
`;

/** What must hold of any text: no exception, and every problem at a place that is in it. */
function check(text: string): void {
	const loaded = parseConfig(text, "f.yaml");
	expect(loaded.file).toBe("f.yaml");
	if (loaded.ok) return;
	const lines = text.split("\n");
	expect(loaded.problems.length).toBeGreaterThan(0);
	let before = { line: 1, column: 1 };
	for (const problem of loaded.problems) {
		const { line, column, message } = problem;
		expect(line).toBeLessThanOrEqual(lines.length);
		expect(column).toBeGreaterThanOrEqual(1);
		expect(column).toBeLessThanOrEqual((lines[line - 1] ?? "").length + 1);
		expect(message).not.toBe("");
		// One line, and nothing that a terminal would obey.
		expect(formatProblem(problem)).not.toMatch(/[\p{Cc}\u2028\u2029]/u);
		expect(line > before.line || (line === before.line && column >= before.column)).toBe(true);
		before = { line, column };
	}
}

const YAML_PIECES = [
	...["services", "web", "match", "port", "proxies", "name", "type", "haproxy", "output", "settle", "quiet", "log"],
	...[
		":",
		": ",
		"- ",
		"? ",
		"\n",
		"\n  ",
		"\n    ",
		"\t",
		"[",
		"]",
		"{",
		"}",
		",",
		"'",
		'"',
		"|\n",
		">-\n",
		"#",
		" # ",
	],
	...[
		"&a ",
		"*a",
		"<<",
		"!!str ",
		"!x ",
		"---\n",
		"...\n",
		"%YAML 1.1\n",
		"~",
		"null",
		"80",
		"1-9",
		"1e9",
		".inf",
		"\r\n",
	],
	...["\\", "\ufeff", "\u0000", "\u0007", "\u2028", "\u{1f600}", "\ud800", "__proto__", "constructor"],
];

/** Values that look like a configuration as far as their keys go. */
const almostConfig = fc.letrec((tie) => ({
	value: fc.oneof(
		{ maxDepth: 6 },
		fc.oneof(
			fc.jsonValue({ maxDepth: 1 }),
			fc.constantFrom(true, false, "redis://a:1", "a:1", "zone", "20%"),
			fc.constantFrom(80, "80-90", "2s", "0s", "haproxy", "apply", "/a", "10.0.0.0/8", "web"),
			fc.double(),
		),
		fc.array(tie("value"), { maxLength: 3 }),
		fc.dictionary(
			fc.oneof(
				fc.constantFrom(
					"host",
					"addresses",
					"templates",
					"services",
					"settle",
					"quiet",
					"max",
					"resync",
					"proxies",
					"log",
				),
				fc.constantFrom("web", "match", "port", "comm", "netns", "mode", "options", "name", "type", "output", "reload"),
				fc.constantFrom("fleet", "redis", "url", "sentinels", "master", "cluster", "tls", "cert", "zones", "publish"),
				fc.constantFrom("subscribe", "username", "prefer"),
				fc.constantFrom("level", "check", "lastGrace", "weight", "hosts", "toString", "__proto__"),
				fc.string(),
			),
			tie("value"),
			{ maxKeys: 6 },
		),
	),
})).value;

describe("whatever the text", () => {
	test("random characters do not throw, and problems lie inside", () => {
		fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 60 }), check), { numRuns: 200 });
	});

	test("random pieces of YAML do not throw, and problems lie inside", () => {
		const text = fc.array(fc.constantFrom(...YAML_PIECES), { maxLength: 30 }).map((pieces) => pieces.join(""));
		fc.assert(fc.property(text, check), { numRuns: 500 });
	});

	test("a valid file with a piece put in, left out or replaced does not throw, and problems lie inside", () => {
		expect(parseConfig(VALID, "f.yaml").ok).toBe(true);
		const damaged = fc
			.tuple(fc.nat(VALID.length), fc.nat(12), fc.constantFrom("", ...YAML_PIECES))
			.map(([at, length, piece]) => VALID.slice(0, at) + piece + VALID.slice(at + length));
		fc.assert(fc.property(damaged, check), { numRuns: 300 });
	});

	test("any value that YAML can hold does not throw, and problems lie inside", () => {
		const value = fc.oneof(fc.jsonValue(), almostConfig);
		fc.assert(
			fc.property(value, fc.constantFrom("any" as const, "flow" as const), (any, collectionStyle) =>
				check(stringify(any, { collectionStyle })),
			),
			{ numRuns: 200 },
		);
	});
});

describe("a duration in the file", () => {
	test("is the milliseconds that it stands for, or a problem where it is no duration or out of bounds", () => {
		const text = fc.oneof(fc.string(), fc.stringMatching(/^\d{1,6}(\.\d{1,3})?(ms|s|m|h)$/));
		fc.assert(
			fc.property(text, (duration) => {
				const loaded = parseConfig(stringify({ proxies: [], resync: duration }), "f.yaml");
				const ms = duration === duration.trim() ? parseDuration(duration) : undefined;
				if (ms !== undefined && ms >= 1000 && ms <= 86_400_000) {
					expect(loaded).toMatchObject({ ok: true, config: { resync: ms } });
				} else {
					expect(loaded).toMatchObject({ ok: false, problems: [{ path: "resync" }] });
				}
			}),
			{ numRuns: 500 },
		);
	});
});
