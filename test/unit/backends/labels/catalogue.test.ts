import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Catalogue, createCatalogue } from "../../../../src/backends/labels/catalogue.js";
import type { Declaration } from "../../../../src/backends/labels/declaration.js";
import { configSchema, readySchema } from "../../../../src/config/schema.js";
import type { Container } from "../../../../src/identity/container.js";
import { containerOf, declarationOf } from "./declaring.js";

const rulesOf = (config: object = {}) => configSchema.parse(config);
const WEB = { services: { web: { match: { port: 80 }, hosts: ["www.example.org"] } } };

const says = (container: Container, ...declarations: Declaration[]) => ({
	id: container.id,
	says: { container, declared: { declarations, problems: [] } },
});
const gone = (container: Container) => ({ id: container.id, says: undefined });
const grantsOf = (catalogue: Catalogue, { id }: Container) => catalogue.of(id)?.grants.map(({ service }) => service);
const hostsOf = (catalogue: Catalogue) =>
	Object.fromEntries(Object.entries(catalogue.services).map(([name, { hosts }]) => [name, hosts]));

const [a, b, c] = [containerOf(1), containerOf(2), containerOf(3)];

describe("a service by label", () => {
	test("exists as soon as a container declares it, and keeps its place when none is left", () => {
		const catalogue = createCatalogue(rulesOf());
		const change = catalogue.update([says(a, declarationOf("api", { hosts: ["api.example.org"], mode: "http" }))]);
		expect(change).toEqual({ services: true, containers: [a.id] });
		expect(grantsOf(catalogue, a)).toEqual(["api"]);
		expect(catalogue.update([gone(a)])).toEqual({ services: false, containers: [a.id] });
		expect(catalogue.of(a.id)).toBeUndefined();
		expect(catalogue.labelled).toMatchObject([{ name: "api", hosts: ["api.example.org"] }]);
	});

	test("is there from an earlier run, unless the configuration has taken its name", () => {
		const api = { name: "api", mode: "tcp", hosts: [], drainTimeout: 1000, order: 1 } as const;
		expect(createCatalogue(rulesOf(), [api]).services["api"]).toMatchObject({ mode: "tcp", drainTimeout: 1000 });
		const taken = rulesOf({ services: { api: { match: { port: 1 } } } });
		expect(createCatalogue(taken, [api]).services["api"]).toMatchObject({ mode: "http", drainTimeout: 30_000 });
		expect(createCatalogue(taken, [api]).labelled).toEqual([]);
	});

	test("of an earlier run gives up a host that the configuration has by now, unless a container may have been allowed it", () => {
		const api = { name: "api", mode: "http", hosts: ["www.example.org"], drainTimeout: 1000, order: 1 } as const;
		expect(hostsOf(createCatalogue(rulesOf(WEB), [api]))).toEqual({ api: [], web: ["www.example.org"] });
		const allowing = { docker: "unix:///d", allow: [{ name: "*" }] };
		const catalogue = createCatalogue(rulesOf({ ...WEB, discovery: allowing }), [api]);
		expect(hostsOf(catalogue)).toEqual({ api: ["www.example.org"], web: [] });
	});

	test("is forgotten on request, but not while a container serves it, nor where the configuration has it", () => {
		const catalogue = createCatalogue(rulesOf(WEB));
		catalogue.update([says(a, declarationOf("api"))]);
		expect(catalogue.forget("api")).toEqual({
			done: false,
			why: "container app-1 serves api (stop it first, or take its label away)",
		});
		catalogue.update([says(b, declarationOf("api"))]);
		expect(catalogue.forget("api")).toEqual({
			done: false,
			why: "container app-1 and 1 more serve api (stop them first, or take their labels away)",
		});
		catalogue.update([gone(a), gone(b)]);
		expect(catalogue.forget("api")).toEqual({ done: true, change: { services: true, containers: [] } });
		expect(Object.keys(catalogue.services)).toEqual(["web"]);
		expect(catalogue.forget("api")).toEqual({ done: false, why: "no service by label is named api" });
		expect(catalogue.forget("web")).toMatchObject({ done: false });
	});

	test("has the hosts of all its containers", () => {
		const catalogue = createCatalogue(rulesOf());
		catalogue.update([
			says(a, declarationOf("api", { hosts: ["old.example.org"] })),
			says(b, declarationOf("api", { hosts: ["new.example.org"] })),
		]);
		expect(catalogue.services["api"]?.hosts).toEqual(["new.example.org", "old.example.org"]);
		catalogue.update([gone(a)]);
		expect(catalogue.services["api"]?.hosts).toEqual(["new.example.org"]);
	});

	test("has a place among those that there are, the first one first, and keeps it", () => {
		const catalogue = createCatalogue(rulesOf());
		const orders = () => Object.fromEntries(catalogue.labelled.map(({ name, order }) => [name, order]));
		catalogue.update([says(a, declarationOf("web"))]);
		catalogue.update([says(b, declarationOf("api")), says(c, declarationOf("db"))]);
		expect(orders()).toEqual({ web: 1, api: 2, db: 3 });
		catalogue.update([gone(a), gone(b)]);
		catalogue.update([says(b, declarationOf("api"))]);
		expect(orders()).toEqual({ web: 1, api: 2, db: 3 });
	});

	test("has one mode: who says another one is refused, and why is told", () => {
		const catalogue = createCatalogue(rulesOf());
		catalogue.update([says(b, declarationOf("api", { mode: "tcp" }))]);
		catalogue.update([says(a, declarationOf("api", { mode: "http" })), says(c, declarationOf("api"))]);
		expect(catalogue.services["api"]?.mode).toBe("tcp");
		expect(catalogue.of(a.id)?.problems).toEqual(["api: mode http differs from that of its other containers, tcp"]);
		expect(grantsOf(catalogue, c)).toEqual(["api"]);
	});
});

test("a container whose port, weight or gate is another one is told, and only that one", () => {
	const catalogue = createCatalogue(rulesOf());
	const gate = (http: string) => declarationOf("web", { ready: readySchema.parse({ http }) });
	const same = gate("/ready");
	catalogue.update([says(a, same), says(b, same)]);
	for (const next of [
		{ ...same, port: 81 },
		{ ...same, port: 81, weight: 7 },
		{ ...gate("/health"), port: 81, weight: 7 },
	]) {
		expect(catalogue.update([says(a, next)])).toEqual({ services: false, containers: [a.id] });
		expect(catalogue.update([says(a, structuredClone(next))])).toEqual({ services: false, containers: [] });
	}
});

describe("what a label may not take", () => {
	test("is a service of the configuration, unless discovery.allow names the container", () => {
		const refusing = createCatalogue(rulesOf(WEB));
		expect(refusing.update([says(a, declarationOf("web"))])).toEqual({ services: false, containers: [a.id] });
		const why = "the configuration has a service of that name (discovery.allow lets containers join it)";
		expect(refusing.of(a.id)).toEqual({
			grants: [],
			problems: [`web: ${why}`],
			refused: [{ service: "web", why }],
		});
		const allow = [{ image: "app:*", name: "app-1" }];
		const allowing = createCatalogue(rulesOf({ ...WEB, discovery: { allow } }));
		allowing.update([says(a, declarationOf("web")), says(b, declarationOf("web"))]);
		expect(grantsOf(allowing, a)).toEqual(["web"]);
		expect(grantsOf(allowing, b)).toEqual([]);
	});

	test("is a host of the configuration, unless it is allowed: then the host moves", () => {
		const wants = declarationOf("api", { hosts: ["www.example.org"] });
		const refusing = createCatalogue(rulesOf(WEB));
		refusing.update([says(a, wants)]);
		expect(refusing.of(a.id)?.problems).toEqual([
			"api: host www.example.org is routed to web already (take another host, or let discovery.allow name the container)",
		]);
		expect(hostsOf(refusing)).toEqual({ web: ["www.example.org"] });
		const allowing = createCatalogue(rulesOf({ ...WEB, discovery: { allow: [{ name: "app-1" }] } }));
		allowing.update([says(a, wants)]);
		expect(hostsOf(allowing)).toEqual({ web: [], api: ["www.example.org"] });
	});

	test("is a host of another service by label, also while that has no container; it is free when that is forgotten", () => {
		const catalogue = createCatalogue(rulesOf());
		catalogue.update([says(b, declarationOf("zoo", { hosts: ["h.example.org"] }))]);
		catalogue.update([says(a, declarationOf("api", { hosts: ["h.example.org"] }))]);
		expect(catalogue.of(a.id)?.problems).toHaveLength(1);
		expect(catalogue.update([gone(b)])).toEqual({ services: false, containers: [a.id, b.id] });
		expect(catalogue.of(a.id)?.problems).toEqual([
			"api: host h.example.org is routed to zoo already (take another host, or let discovery.allow name the container, or forget zoo: solistend forget zoo)",
		]);
		expect(catalogue.forget("zoo")).toEqual({ done: true, change: { services: true, containers: [a.id] } });
		expect(hostsOf(catalogue)).toEqual({ api: ["h.example.org"] });
		expect(grantsOf(catalogue, a)).toEqual(["api"]);
	});
});

test("a change that changes nothing leads to nothing", () => {
	const catalogue = createCatalogue(rulesOf());
	catalogue.update([says(a, declarationOf("api"))]);
	expect(catalogue.update([says(a, declarationOf("api"))])).toEqual({ services: false, containers: [] });
	expect(catalogue.update([gone(b)])).toEqual({ services: false, containers: [] });
});

test("another configuration begins with the services by label, and with what containers say told anew", () => {
	const catalogue = createCatalogue(rulesOf());
	catalogue.update([says(a, declarationOf("api")), says(b, declarationOf("web"))]);
	catalogue.reconfigure(rulesOf(WEB), [says(a, declarationOf("api")), says(b, declarationOf("web"))]);
	expect(catalogue.labelled.map(({ name }) => name)).toEqual(["api"]);
	expect(grantsOf(catalogue, b)).toEqual([]);
});

test("a configuration that is read again moves no host from one to another that may have it, too", () => {
	const allowing = rulesOf({ ...WEB, discovery: { docker: "unix:///d", allow: [{ name: "*" }] } });
	const wants = (service: string) => declarationOf(service, { hosts: ["www.example.org"] });
	const catalogue = createCatalogue(allowing);
	catalogue.update([says(a, wants("shop"))]);
	catalogue.update([says(b, wants("api"))]);
	expect(hostsOf(catalogue)).toEqual({ api: [], shop: ["www.example.org"], web: [] });
	catalogue.reconfigure(allowing, [says(a, wants("shop")), says(b, wants("api"))]);
	expect(hostsOf(catalogue)).toEqual({ api: [], shop: ["www.example.org"], web: [] });
});

describe("whatever containers declare", () => {
	const hosts = fc.subarray(["www.example.org", "b.example.org", "c.example.org"]);
	const mode = fc.constantFrom("http", "tcp", undefined);
	const declarations = fc.array(
		fc
			.record({ service: fc.constantFrom("web", "api", "db"), hosts, mode })
			.map(({ service, ...more }) => declarationOf(service, more)),
		{ maxLength: 3 },
	);
	const containers = fc.array(declarations, { maxLength: 6 });
	const entries = (all: readonly (readonly Declaration[])[]) =>
		all.map((declared, index) => says(containerOf(index + 1), ...declared));

	test("each host leads to one service, and each grant to a service that there is", () => {
		fc.assert(
			fc.property(containers, fc.boolean(), (all, isAllowed) => {
				const catalogue = createCatalogue(rulesOf({ ...WEB, discovery: { allow: isAllowed ? [{ name: "*" }] : [] } }));
				for (const entry of entries(all)) catalogue.update([entry]);
				const routed = Object.values(catalogue.services).flatMap((service) => service.hosts);
				expect(routed).toHaveLength(new Set(routed).size);
				for (const { id } of entries(all)) {
					for (const { service } of catalogue.of(id)?.grants ?? [])
						expect(catalogue.services).toHaveProperty([service]);
				}
			}),
		);
	});

	test("at once leads to the same in any order", () => {
		fc.assert(
			fc.property(
				containers.chain((all) =>
					fc.tuple(fc.constant(entries(all)), fc.shuffledSubarray(entries(all), { minLength: all.length })),
				),
				([first, second]) => {
					const [one, other] = [createCatalogue(rulesOf(WEB)), createCatalogue(rulesOf(WEB))];
					one.update(first);
					other.update(second);
					expect(other.services).toEqual(one.services);
					for (const { id } of first) expect(other.of(id)).toEqual(one.of(id));
				},
			),
		);
	});
});
