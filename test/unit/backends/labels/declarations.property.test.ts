import fc from "fast-check";
import { expect, test } from "vitest";
import { declarationsOf } from "../../../../src/backends/labels/declarations.js";
import { configSchema } from "../../../../src/config/schema.js";
import type { Container } from "../../../../src/identity/container.js";
import { container } from "./container.js";

/** Text as a container may choose it: sensible, odd, hostile, long. */
const text = fc.oneof(
	fc.constantFrom("web", "80", "a.example", "/ok", "tcp", "true", "*.a", "Host(`a`)", "s", "7", "100ms", "__proto__"),
	fc.string({ unit: "binary" }),
	fc.string({
		unit: fc.constantFrom("a", ".", ",", " ", "\n", '"', "{", "}", "`", "~", "\ufffd", "\ud800"),
		maxLength: 12,
	}),
	fc.constantFrom("x".repeat(10_000), "{".repeat(10_000), "a,".repeat(5_000), "`".repeat(10_000), " ".repeat(10_000)),
);

const part = fc.oneof(
	text,
	fc.constantFrom("port", "weight", "mode", "host", "ready", "drain-timeout", "service", "enable"),
);

const key = fc.oneof(
	text,
	part.map((one) => `solisten.${one}`),
	fc.tuple(part, part).map(([service, setting]) => `solisten.${service}.${setting}`),
	part.map((router) => `traefik.http.routers.${router}.rule`),
	part.map((service) => `traefik.http.services.${service}.loadbalancer.server.port`),
	fc.constantFrom("traefik.enable", "traefik.frontend.rule", "SERVICE_NAME", "SERVICE_80_NAME", "SERVICE_IGNORE"),
	fc.constantFrom("VIRTUAL_HOST", "VIRTUAL_PORT", "VIRTUAL_PATH"),
);

/** What a person would write: most of what is declared comes of it. */
const sensible = fc.constantFrom<[string, string][]>(
	["solisten.service", "web api"],
	["solisten.service", "web"],
	["solisten.port", "80"],
	["solisten.a.b.port", "81"],
	["solisten.web.weight", "7"],
	["solisten.mode", "tcp"],
	["solisten.host", "a.example, *.B.example"],
	["solisten.ready", "/ok timeout=100ms"],
	["solisten.web.ready", "tcp interval=10ms status=100-599"],
	["solisten.drain-timeout", "24h"],
	["solisten.enable", "yes"],
	["traefik.http.routers.r.rule", "Host(`a.example`)"],
	["traefik.http.services.*.loadbalancer.server.port", "80"],
	["VIRTUAL_HOST", "*.a.example,b.example"],
	["SERVICE_NAME", "my web"],
);

const entries = fc.uniqueArray(fc.oneof({ arbitrary: sensible, weight: 2 }, fc.tuple(key, text)), {
	selector: ([name]) => name,
	maxLength: 20,
});

const containers = fc
	.record({ labels: entries, env: fc.option(entries, { nil: undefined }), exposed: fc.subarray([80, 443, 8080]) })
	.map(
		({ labels, env, exposed }): Container => ({
			...container({}),
			labels: new Map(labels),
			env: env && new Map(env),
			exposed,
		}),
	);

const discovery = fc.record({
	labels: fc.boolean(),
	conventions: fc.subarray(["virtual-host", "traefik", "registrator"] as const),
});

test("whatever a container says: what it declares fits the configuration's rules, and its problems are short", () => {
	fc.assert(
		fc.property(containers, discovery, (one, how) => {
			const { declarations, problems } = declarationsOf(one, how);
			expect(declarations.length).toBeLessThanOrEqual(32);
			expect(problems.length).toBeLessThanOrEqual(8);
			for (const problem of problems) {
				expect(problem).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}\p{Cs}]/u);
				expect(problem.length).toBeLessThan(1500);
			}
			for (const { service, port, weight, mode, hosts, ready, drainTimeout } of declarations) {
				const match = { port: port ?? 80 };
				const gate = ready && {
					...(ready.http === undefined ? { tcp: true } : { http: ready.http }),
					status: `${ready.status.from}-${ready.status.to}`,
					timeout: `${ready.timeout}ms`,
					interval: `${ready.interval}ms`,
				};
				const drain = drainTimeout === undefined ? {} : { drainTimeout: `${drainTimeout}ms` };
				const given = { match, weight, mode, hosts, ready: gate, ...drain };
				const parsed = configSchema.parse({ host: "edge", services: { [service]: given } }).services[service];
				expect(parsed?.ready).toEqual(ready);
				expect(hosts).toEqual(hosts.map((host) => host.toLowerCase()));
			}
		}),
		{ numRuns: 2000 },
	);
});

test("the order of labels means nothing", () => {
	const shuffled = containers.chain((one) =>
		fc.record({
			one: fc.constant(one),
			labels: fc.shuffledSubarray([...one.labels], { minLength: one.labels.size }),
			env: fc.shuffledSubarray([...(one.env ?? [])], { minLength: one.env?.size ?? 0 }),
		}),
	);
	fc.assert(
		fc.property(shuffled, discovery, ({ one, labels, env }, how) => {
			const other = { ...one, labels: new Map(labels), env: one.env && new Map(env) };
			expect(declarationsOf(other, how)).toEqual(declarationsOf(one, how));
		}),
		{ numRuns: 1000 },
	);
});

test("a container that is made to be slow is read at once", () => {
	const rules = Array.from({ length: 5_000 }, (_, at): [string, string] => [
		`traefik.http.routers.r${at}.rule`,
		`Host(\`h${at}\`)`,
	]);
	const services = Array.from({ length: 5_000 }, (_, at): [string, string] => [`solisten.s${at}.port`, "80"]);
	const slow = { ...container({}), labels: new Map([...rules, ...services, ["solisten.x", "Host(`".repeat(2_000)]]) };
	const { declarations } = declarationsOf(slow, { labels: true, conventions: ["traefik"] });
	expect(declarations).toHaveLength(32);
});
