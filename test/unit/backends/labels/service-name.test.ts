import fc from "fast-check";
import { expect, test } from "vitest";
import { isServiceName, serviceNameOf } from "../../../../src/backends/labels/service-name.js";

test("a name that the rule allows stays as it is", () => {
	for (const name of ["web", "a.example", "_x", "9", "a:b-c", "x".repeat(63)]) expect(serviceNameOf(name)).toBe(name);
});

test.each([
	["*.example.org", "_.example.org-"],
	["-web", "_web-"],
	["", "_-"],
	["__proto__", "__proto__-"],
	["my web", "my_web-"],
	["x".repeat(10_000), `${"x".repeat(49)}-`],
])("%j becomes a name that people still know", (raw, start) => {
	const name = serviceNameOf(raw);
	expect(name.slice(0, start.length)).toBe(start);
	expect(name.slice(start.length)).toMatch(/^[0-9a-z]{13}$/);
});

test("two names that differ stay different, and each has the rule's form", () => {
	const odd = fc.string({ unit: fc.constantFrom("a", "*", " ", "é", "."), maxLength: 6 });
	fc.assert(
		fc.property(fc.oneof(odd, fc.string()), fc.oneof(odd, fc.string()), (one, other) => {
			expect(isServiceName(serviceNameOf(one))).toBe(true);
			expect(serviceNameOf(one) === serviceNameOf(other)).toBe(one === other);
		}),
		{ numRuns: 2000 },
	);
});
