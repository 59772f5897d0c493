import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MAX_NAME_LENGTH, sanitize } from "../../../src/identity/sanitize.js";

describe("a name from a container", () => {
	test.each([
		["nginx", "nginx"],
		["/system.slice/web@1:2.service", "/system.slice/web@1:2.service"],
		["nginx: master", "nginx:_master"],
		["web\nserver evil 10.0.0.1", "web_server_evil_10.0.0.1"],
		["a\"b'c{{d}}#e\\f\0g\x1b[31m", "a_b_c__d___e_f_g__31m"],
		["wéb😀", "w_b__"],
		["", ""],
	])("%j becomes %j", (raw, safe) => {
		expect(sanitize(raw)).toBe(safe);
	});

	test("holds only safe characters, keeps its length up to the bound, and is not changed twice", () => {
		fc.assert(
			fc.property(fc.string({ unit: "binary", maxLength: 600 }), fc.integer({ min: 0, max: 400 }), (raw, bound) => {
				const safe = sanitize(raw, bound);
				expect(safe).toMatch(/^[A-Za-z0-9_.:@/-]*$/);
				expect(safe).toHaveLength(Math.min(raw.length, bound));
				expect(sanitize(safe, bound)).toBe(safe);
			}),
		);
		expect(sanitize("x".repeat(5000))).toHaveLength(MAX_NAME_LENGTH);
	});
});
