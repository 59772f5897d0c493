import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { meantBy } from "../../../src/admin/what.js";

const SERVICES = ["api", "empty", "web"];
const BACKENDS = [
	{ service: "api", id: "10.0.0.1:80" },
	{ service: "web", id: "10.0.0.1:80" },
	{ service: "web", id: "10.0.0.2:80" },
	{ service: "web", id: "fd00::1:80" },
];

const names = (what: string): string[] => {
	const meant = meantBy(what, SERVICES, BACKENDS);
	return meant.ok ? meant.backends.map(({ service, id }) => `${service}/${id}`) : [meant.message];
};

describe("a word means", () => {
	test("one backend of a service, by both names", () => {
		expect(names("web/10.0.0.1:80")).toEqual(["web/10.0.0.1:80"]);
		expect(names("web/fd00::1:80")).toEqual(["web/fd00::1:80"]);
	});

	test("a backend in every service that has it, by its address", () => {
		expect(names("10.0.0.1:80")).toEqual(["api/10.0.0.1:80", "web/10.0.0.1:80"]);
	});

	test("all backends of a service, by its name", () => {
		expect(names("web")).toEqual(["web/10.0.0.1:80", "web/10.0.0.2:80", "web/fd00::1:80"]);
	});

	test("nothing where the service has none", () => {
		expect(names("empty")).toEqual(["service empty has no backends"]);
	});

	test("nothing where there is no such name, and then the names that there are", () => {
		expect(names("wbe")).toEqual([
			'nothing is named "wbe", did you mean web? (services: api, empty, web; backends: api/10.0.0.1:80, web/10.0.0.1:80, web/10.0.0.2:80, web/fd00::1:80)',
		]);
		expect(names("web/10.0.0.2:81")[0]).toContain("did you mean web/10.0.0.2:80?");
		expect(names("\u001b[31m")[0]).toContain('nothing is named "\\u{001b}[31m" (services');
	});

	test("and no answer lists more names than a person reads", () => {
		const many = Array.from({ length: 500 }, (_, i) => ({ service: "web", id: `10.0.${i >> 8}.${i & 255}:80` }));
		const meant = meantBy("nope", ["web"], many);
		expect(meant.ok ? "" : meant.message).toMatch(/web\/10\.0\.0\.19:80 and 480 more\)$/);
	});

	test("by its full name, exactly that backend, whatever else is there", () => {
		const backend = fc.record({
			service: fc.constantFrom("a", "b", "10.0.0.1:80"),
			id: fc.constantFrom("10.0.0.1:80", "10.0.0.2:80", "::1:80"),
		});
		fc.assert(
			fc.property(
				fc.uniqueArray(backend, { selector: ({ service, id }) => `${service}/${id}`, minLength: 1 }),
				(all) => {
					for (const one of all) {
						expect(meantBy(`${one.service}/${one.id}`, [], all)).toEqual({ ok: true, backends: [one] });
					}
				},
			),
		);
	});
});
