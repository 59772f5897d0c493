import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Declaring, decide, type LabelService } from "../../../../src/backends/labels/decide.js";
import { configSchema } from "../../../../src/config/schema.js";
import { containerOf, declarationOf } from "./declaring.js";

const { services } = configSchema.parse({ services: { web: { match: { port: 80 }, hosts: ["www.example.org"] } } });
const NONE: ReadonlyMap<string, LabelService> = new Map();

const declaring = (number: number, service: string, hosts: string[], more: Partial<Declaring> = {}): Declaring => ({
	container: containerOf(number),
	declared: { declarations: [declarationOf(service, { hosts })], problems: [] },
	isAllowed: false,
	...more,
});
const hostsOf = (labelled: ReadonlyMap<string, LabelService>) =>
	Object.fromEntries([...labelled].map(([name, { hosts }]) => [name, hosts]));
const HOST = ["h.example.org"];

describe("a host that several want", () => {
	test("goes to one that is allowed, and whoever has lost it is told at once", () => {
		const all = [declaring(1, "api", HOST), declaring(2, "shop", HOST, { isAllowed: true })];
		const { granted, labelled } = decide(services, all, NONE);
		expect(hostsOf(labelled)).toEqual({ shop: HOST });
		expect(granted.get(containerOf(1).id)?.problems).toEqual([expect.stringContaining("is routed to shop already")]);
	});

	test("stays with the one that has it, where all of them are allowed", () => {
		const first = declaring(1, "api", HOST, { isAllowed: true });
		const before = decide(services, [first], NONE).labelled;
		const { labelled } = decide(services, [first, declaring(2, "shop", HOST, { isAllowed: true })], before);
		expect(hostsOf(labelled)).toEqual({ api: HOST, shop: [] });
	});

	test("is free once the configuration has the service that had it, and gives it other hosts", () => {
		const both = [declaring(1, "web", HOST), declaring(2, "shop", HOST)];
		const before = decide({}, [declaring(1, "web", HOST)], NONE).labelled;
		expect(hostsOf(decide({}, both, before).labelled)).toEqual({ web: HOST });
		expect(hostsOf(decide(services, both, before).labelled)).toEqual({ shop: HOST });
	});
});

test("what was decided is decided so again, whatever was before", () => {
	const hosts = fc.subarray(["www.example.org", "b.example.org", "c.example.org"]);
	const mode = fc.constantFrom("http", "tcp", undefined);
	const one = fc.record({ service: fc.constantFrom("web", "api", "db", "shop"), hosts, mode });
	const said = fc.record({ declares: fc.array(one, { maxLength: 2 }), isAllowed: fc.boolean() });
	const containers = fc.uniqueArray(fc.integer({ min: 1, max: 6 }), { maxLength: 6 }).chain((numbers) =>
		fc.tuple(
			...numbers.map((number) =>
				said.map(({ declares, isAllowed }): Declaring => {
					const declarations = declares.map(({ service, ...more }) => declarationOf(service, more));
					return { container: containerOf(number), declared: { declarations, problems: [] }, isAllowed };
				}),
			),
		),
	);
	const configured = fc.constantFrom({}, services);
	fc.assert(
		fc.property(fc.array(fc.tuple(configured, containers), { maxLength: 3 }), containers, (earlier, now) => {
			let before = NONE;
			for (const [has, all] of earlier) before = decide(has, all, before).labelled;
			const decided = decide(services, now, before);
			expect(decide(services, now, decided.labelled)).toEqual(decided);
		}),
		{ numRuns: 1000 },
	);
});
