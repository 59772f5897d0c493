/** Containers, labels and events in any order: what comes of it is what a simple model says, and no look changes that. */

import fc from "fast-check";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { backendId } from "../../src/backends/backend.js";
import { configSchema } from "../../src/config/schema.js";
import type { Container } from "../../src/identity/container.js";
import type { Listener } from "../../src/listeners/event.js";
import type { Pipeline } from "../../src/pipeline.js";
import type { Remembered } from "../../src/state.js";
import { inContainer, labelled, setup } from "./containers.js";
import { close, listen } from "./listeners/listener.js";

beforeEach(() => {
	vi.useFakeTimers();
});
afterEach(() => {
	vi.useRealTimers();
});

const NUMBERS = [2, 3, 4];
const PORTS = [22, 80, 8080];

/** What a container may say; `ok-` names are let into what the configuration has. */
const saying = fc.record({
	name: fc.constantFrom("ok-1", "other"),
	services: fc.uniqueArray(fc.constantFrom("web", "api", "shop", "blog"), { maxLength: 2 }),
	port: fc.constantFrom(undefined, 80, 8080),
	weight: fc.constantFrom(undefined, 5),
	enable: fc.constantFrom(undefined, "false"),
	exposed: fc.constantFrom([], [8080], [80, 8080]),
	tier: fc.constantFrom(undefined, "front"),
	host: fc.constantFrom(undefined, "a.example.org", "b.example.org", "web.example.org", "a.example.org,b.example.org"),
	mode: fc.constantFrom(undefined, "http", "tcp"),
});
type Saying = typeof saying extends fc.Arbitrary<infer T> ? T : never;

function containerOf(number: number, said: Saying): Container {
	const { services, port, weight, enable, tier, host, mode } = said;
	const labels = {
		...(services.length > 0 && { "solisten.service": services.join(",") }),
		...(port !== undefined && { "solisten.port": `${port}` }),
		...(weight !== undefined && { "solisten.weight": `${weight}` }),
		...(enable !== undefined && { "solisten.enable": enable }),
		...(tier !== undefined && { tier }),
		...(host !== undefined && { "solisten.host": host }),
		...(mode !== undefined && { "solisten.mode": mode }),
	};
	return labelled(number, labels, { name: said.name, exposed: said.exposed });
}

/** What can be told from the outside. */
const rules = fc.record({
	labels: fc.boolean(),
	isAllowing: fc.boolean(),
	hasWeb: fc.boolean(),
	hasApi: fc.boolean(),
});
type Rules = typeof rules extends fc.Arbitrary<infer T> ? T : never;

const configOf = ({ labels, isAllowing, hasWeb, hasApi }: Rules) => ({
	services: {
		...(hasWeb && { web: { match: { port: 80 }, hosts: ["web.example.org"], lastGrace: "0s" } }),
		...(hasApi && { api: { match: { container: { label: { tier: "front" } } }, lastGrace: "0s" } }),
	},
	discovery: { docker: "unix:///d", labels, allow: isAllowing ? [{ name: "ok-*" }] : [] },
	flap: false,
	guard: { maxDrop: "100%" },
});

const number = fc.constantFrom(...NUMBERS);
const port = fc.constantFrom(...PORTS);
const service = fc.constantFrom("web", "api", "shop", "blog");
const step = (said: fc.Arbitrary<Saying>) =>
	fc.oneof(
		fc.record({ what: fc.constant("runs" as const), number, said }),
		fc.record({ what: fc.constant("ends" as const), number }),
		fc.record({ what: fc.constant("listens" as const), number, port }),
		fc.record({ what: fc.constant("listens" as const), number, port }),
		fc.record({ what: fc.constant("closes" as const), number, port }),
		fc.record({ what: fc.constant("rules" as const), rules }),
		fc.record({ what: fc.constantFrom("hold" as const, "release" as const), number, port, service }),
		fc.record({ what: fc.constant("forget" as const), service }),
		fc.record({ what: fc.constantFrom("recheck" as const, "read" as const) }),
	);
type Step = ReturnType<typeof step> extends fc.Arbitrary<infer T> ? T : never;

/** A pipeline, and what is true of the world around it. */
function hosting(initial: Rules, remembered?: Remembered) {
	const world = setup(configOf(initial), remembered);
	const { pipeline } = world;
	const running = new Map<number, Saying>();
	const open = new Map<string, { number: number; listener: Listener }>();
	let current = initial;
	let atNs = 100;
	const next = () => {
		atNs += 10;
		return atNs;
	};
	return {
		...world,
		running,
		open,
		rules: () => current,
		take(one: Step) {
			switch (one.what) {
				case "runs":
					running.set(one.number, one.said);
					world.runs(containerOf(one.number, one.said));
					break;
				case "ends":
					running.delete(one.number);
					world.ends(containerOf(one.number, NOTHING));
					break;
				case "listens": {
					const key = `${one.number} ${one.port}`;
					if (open.has(key)) break;
					const listener = inContainer(one.number, one.port, { atNs: next() });
					open.set(key, { number: one.number, listener });
					pipeline.onEvents([listen(listener)]);
					break;
				}
				case "closes": {
					const key = `${one.number} ${one.port}`;
					const had = open.get(key);
					if (had === undefined) break;
					open.delete(key);
					pipeline.onEvents([close(had.listener, next())]);
					break;
				}
				case "rules":
					current = one.rules;
					pipeline.reconfigure(configSchema.parse(configOf(one.rules)));
					break;
				case "hold":
				case "release": {
					const ref = { service: one.service, id: backendId(`10.0.0.${one.number}`, one.port) };
					if (one.what === "hold") pipeline.hold(ref, "down");
					else pipeline.release(ref);
					break;
				}
				case "forget":
					pipeline.forget(one.service);
					break;
				case "recheck":
					pipeline.recheck();
					break;
				case "read":
					pipeline.onRead({
						beganNs: next(),
						complete: true,
						rows: [...open.values()].map(({ listener }) => listener),
					});
					break;
				default:
					one satisfies never;
			}
		},
	};
}
type Hosting = ReturnType<typeof hosting>;

const NOTHING: Saying = {
	name: "other",
	services: [],
	port: undefined,
	weight: undefined,
	enable: undefined,
	exposed: [],
	tier: undefined,
	host: undefined,
	mode: undefined,
};

/** Which backends each service should have, with their weights: by all that is known, whatever came before. */
function expected({ running, open, rules: rulesNow }: Hosting): Record<string, string[]> {
	const { labels, isAllowing, hasWeb, hasApi } = rulesNow();
	const found: Record<string, string[]> = {};
	for (const { number, listener } of open.values()) {
		const said = running.get(number);
		const lowest = Math.min(...[...open.values()].flatMap((one) => (one.number === number ? one.listener.port : [])));
		const weights = new Map<string, number>();
		if (hasWeb && listener.port === 80) weights.set("web", 100);
		if (hasApi && said?.tier === "front") weights.set("api", 100);
		if (labels && said !== undefined && said.enable === undefined) {
			const means = said.port ?? (said.exposed.length === 1 ? said.exposed[0] : lowest);
			for (const service of said.services) {
				const isConfigured = (service === "web" && hasWeb) || (service === "api" && hasApi);
				if (isConfigured && !(isAllowing && said.name.startsWith("ok-"))) continue;
				if (means === listener.port) weights.set(service, said.weight ?? 100);
			}
		}
		for (const [service, weight] of weights) {
			found[service] = [...(found[service] ?? []), `10.0.0.${number}:${listener.port} ${weight}`].sort();
		}
	}
	return found;
}

const backendsOf = (pipeline: Pipeline) =>
	Object.fromEntries(
		pipeline
			.desired()
			?.filter(({ backends }) => backends.length > 0)
			.map(({ name, backends }) => [name, backends.map(({ id, weight }) => `${id} ${weight}`).sort()]) ?? [],
	);

/** All that a proxy is told, and all that a person is, but for times. */
const told = (pipeline: Pipeline) => ({
	services: pipeline.desired()?.map(({ backends, ...service }) => ({
		...service,
		backends: backends.map(({ id, weight, state }) => ({ id, weight, state })),
	})),
	verdicts: pipeline
		.listeners()
		.map(({ endpoint, verdict }) => [endpoint.key, verdict] as const)
		.sort(([a], [b]) => (a < b ? -1 : 1)),
	remembered: pipeline.remembered(),
});

const plain = saying.map((said) => ({ ...said, host: undefined, mode: undefined }));

test("whatever happened, and in whatever order, the pools have what a simple model says", () => {
	fc.assert(
		fc.property(rules, fc.array(step(plain), { maxLength: 25 }), (initial, steps) => {
			const host = hosting(initial);
			steps.forEach(host.take);
			// the last ones stay for a while
			vi.advanceTimersByTime(5000);
			expect(backendsOf(host.pipeline)).toEqual(expected(host));
			host.pipeline.close();
			expect(vi.getTimerCount()).toBe(0);
		}),
		{ numRuns: 300 },
	);
});

test("no second look, no word that was said before and no restart changes anything", () => {
	fc.assert(
		fc.property(rules, fc.array(step(saying), { maxLength: 25 }), (initial, steps) => {
			const host = hosting(initial);
			const { pipeline, changes, running, open } = host;
			steps.forEach(host.take);
			vi.advanceTimersByTime(5000);
			const before = told(pipeline);
			const many = changes.length;
			const now = () => [...running].map(([number, said]) => containerOf(number, said));
			now().forEach(host.runs);
			pipeline.recheck();
			host.take({ what: "read" });
			host.take({ what: "runs", number: 9, said: NOTHING });
			host.take({ what: "ends", number: 9 });
			expect(told(pipeline)).toEqual(before);
			expect(changes.length).toBe(many);
			pipeline.reconfigure(configSchema.parse(configOf(host.rules())));
			vi.advanceTimersByTime(5000);
			expect(told(pipeline)).toEqual(before);

			const again = hosting(host.rules(), pipeline.remembered());
			for (const { listener } of open.values()) again.pipeline.onEvents([listen(listener)]);
			again.runAll(now());
			vi.advanceTimersByTime(5000);
			expect(told(again.pipeline)).toEqual(before);
			pipeline.close();
			again.pipeline.close();
		}),
		{ numRuns: 300 },
	);
});
