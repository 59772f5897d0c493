/** What containers declare, through the pipeline: from what an engine tells to the desired set. */

import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { DesiredChange } from "../../src/backends/backend.js";
import { configSchema } from "../../src/config/schema.js";
import type { Container, ContainerLookup } from "../../src/identity/container.js";
import type { Presence } from "../../src/identity/presence.js";
import { UNKNOWN_ROUTES } from "../../src/identity/routes.js";
import type { Listener } from "../../src/listeners/event.js";
import { netnsKey } from "../../src/listeners/ids.js";
import { createPipeline, type Pipeline } from "../../src/pipeline.js";
import type { Remembered } from "../../src/state.js";
import { containerOf } from "./backends/labels/declaring.js";
import { close, listen, listenerOf } from "./listeners/listener.js";

beforeEach(() => {
	vi.useFakeTimers();
});
afterEach(() => {
	vi.useRealTimers();
});

/** Each network namespace is that of a container of the same number, at 10.0.0.NUMBER; 0 is the host's. */
function setup(config: object = {}, remembered?: Remembered, presenceOf = (): Presence => "unknown") {
	const known = new Map<string, ContainerLookup>();
	const kept: Remembered[] = [];
	const changes: DesiredChange[] = [];
	const warnings: { msg: string; problems: string[] }[] = [];
	const pipeline = createPipeline({
		config: configSchema.parse({ discovery: { docker: "unix:///run/docker.sock" }, ...config }),
		resolver: {
			resolve({ netns, netnsInode, comm, hostname, pid }: Listener) {
				const { id } = containerOf(netns === "0" ? pid : Number(netns));
				const container = known.get(id) ?? { state: "waiting", why: "Docker does not answer" };
				return {
					identity: { comm, hostname, netnsInode, container: id },
					addresses: { state: "known", ipv4: [`10.0.0.${netns}`], ipv6: [] },
					isHost: netns === "0",
					container,
				};
			},
			expire: () => undefined,
			routesOf: () => UNKNOWN_ROUTES,
			want: () => undefined,
			forget: () => undefined,
			disturbed: () => [],
		},
		containers: () => [...known.values()].flatMap((one) => (one.state === "known" ? one.container : [])),
		presenceOf,
		log: pino({ level: "warn" }, { write: (line: string) => void warnings.push(JSON.parse(line)) }),
		now: () => performance.now(),
		bootTimeNs: () => performance.now() * 1e6,
		...(remembered !== undefined && { remembered }),
		onRemember: (all) => kept.push(all),
		onChange: (change) => changes.push(change),
		requestRead: () => undefined,
	});
	pipeline.onRead({ beganNs: 5, complete: true, rows: [] });
	const runs = (container: Container) => {
		known.set(container.id, { state: "known", container });
		pipeline.onContainers([{ id: container.id, container, isMoved: false }]);
	};
	const ends = ({ id }: Container) => {
		known.delete(id);
		pipeline.onContainers([{ id, container: undefined, isMoved: false }]);
	};
	return { pipeline, runs, ends, kept, changes, warnings };
}

const labelled = (number: number, labels: Record<string, string>, more: Partial<Container> = {}) =>
	containerOf(number, { labels: new Map(Object.entries(labels)), ...more });
const inContainer = (number: number, port = 80, more: Partial<Listener> = {}) =>
	listenerOf(number * 100_000 + port, 10, { netns: netnsKey(String(number)), port, ...more });
const pools = (pipeline: Pipeline) =>
	Object.fromEntries(pipeline.desired()?.map(({ name, backends }) => [name, backends.map(({ id }) => id)]) ?? []);
const verdicts = (pipeline: Pipeline) =>
	pipeline.listeners().map(({ verdict }) => (verdict.state === "in" ? "in" : `${verdict.state}: ${verdict.why}`));

describe("a container with a label", () => {
	test("makes its service when it starts, and joins when it listens", () => {
		const { pipeline, runs, changes, kept } = setup();
		runs(labelled(2, { "solisten.service": "web", "solisten.host": "www.example.org" }));
		expect(pools(pipeline)).toEqual({ web: [] });
		expect(changes.at(-1)).toMatchObject({ touched: undefined });
		expect(kept.at(-1)?.services).toMatchObject([{ name: "web", hosts: ["www.example.org"] }]);
		pipeline.onEvents([listen(inContainer(2))]);
		expect(pools(pipeline)).toEqual({ web: ["10.0.0.2:80"] });
		expect(changes.at(-1)?.touched).toHaveLength(1);
	});

	test("that listens before its engine tells of it waits, and joins when that does", () => {
		const { pipeline, runs } = setup();
		pipeline.onEvents([listen(inContainer(2))]);
		expect(verdicts(pipeline)).toEqual(["pending: Docker does not answer"]);
		runs(labelled(2, { "solisten.service": "web" }));
		expect(pools(pipeline)).toEqual({ web: ["10.0.0.2:80"] });
		pipeline.close();
		expect(vi.getTimerCount()).toBe(0);
	});

	test("leaves its service in its place when it goes, until that is forgotten", () => {
		const { pipeline, runs, ends, kept } = setup();
		const container = labelled(2, { "solisten.service": "web" });
		runs(container);
		const listener = inContainer(2);
		pipeline.onEvents([listen(listener)]);
		expect(pipeline.forget("web")).toMatch(/container app-2 serves web/);
		pipeline.onEvents([close(listener, 30)]);
		ends(container);
		vi.advanceTimersByTime(5000);
		expect(pools(pipeline)).toEqual({ web: [] });
		expect(pipeline.forget("web")).toBeUndefined();
		expect(pools(pipeline)).toEqual({});
		expect(kept.at(-1)?.services).toEqual([]);
		pipeline.close();
	});

	test("of an earlier run has its service from the first moment on", () => {
		const services = [{ name: "web", mode: "http", hosts: [], drainTimeout: 30_000, order: 1 }] as const;
		const { pipeline } = setup({}, { holds: [], services });
		expect(pools(pipeline)).toEqual({ web: [] });
	});

	test("that is refused says why in its listener's verdict, and once in the log", () => {
		const { pipeline, runs, warnings } = setup({ services: { web: { match: { port: 1 } } } });
		runs(labelled(2, { "solisten.service": "web" }));
		pipeline.onEvents([listen(inContainer(2))]);
		const why = "web: the configuration has a service of that name (discovery.allow lets containers join it)";
		expect(verdicts(pipeline)).toEqual([`out: ${why}; web: port 80 is not in 1`]);
		runs(labelled(2, { "solisten.service": "web" }));
		expect(warnings.map(({ problems }) => problems)).toEqual([[why]]);
	});

	test("on the host's network joins at the host's own address", () => {
		const { pipeline, runs } = setup();
		runs(labelled(7, { "solisten.service": "web" }));
		pipeline.onEvents([listen(inContainer(0, 8080, { pid: 7 }))]);
		expect(pools(pipeline)).toEqual({ web: ["127.0.0.1:8080"] });
	});

	test("that a match means, too, is one backend of the service", () => {
		const config = {
			services: { web: { match: { port: 80 } } },
			discovery: { docker: "unix:///d", allow: [{ name: "*" }] },
		};
		const { pipeline, runs } = setup(config);
		runs(labelled(2, { "solisten.service": "web", "solisten.port": "80" }));
		pipeline.onEvents([listen(inContainer(2))]);
		expect(pools(pipeline)).toEqual({ web: ["10.0.0.2:80"] });
	});
});

describe("the port of a label that names none", () => {
	test("is the lowest that the container listens on, whichever comes first", () => {
		const { pipeline, runs } = setup();
		runs(labelled(2, { "solisten.service": "web" }));
		pipeline.onEvents([listen(inContainer(2, 9000))]);
		expect(pools(pipeline)).toEqual({ web: ["10.0.0.2:9000"] });
		const main = inContainer(2, 8080);
		pipeline.onEvents([listen(main)]);
		expect(pools(pipeline)).toEqual({ web: ["10.0.0.2:8080"] });
		expect(verdicts(pipeline)).toContain(
			"out: web: its label names no port and means the lowest, not 9000 (solisten.port says which)",
		);
		pipeline.onEvents([listen(inContainer(2, 22, { address: "127.0.0.1" }))]);
		expect(pools(pipeline)).toEqual({ web: ["10.0.0.2:8080"] });
		pipeline.onEvents([close(main, 30)]);
		expect(pools(pipeline)).toEqual({ web: ["10.0.0.2:9000"] });
		pipeline.close();
	});

	test("is the one that the image exposes, where that is one", () => {
		const { pipeline, runs } = setup();
		runs(labelled(2, { "solisten.service": "web" }, { exposed: [9000] }));
		pipeline.onEvents([listen(inContainer(2, 80)), listen(inContainer(2, 9000))]);
		expect(pools(pipeline)).toEqual({ web: ["10.0.0.2:9000"] });
	});
});

describe("a match by container", () => {
	const config = { services: { web: { match: { port: 80, container: { name: "app-*", label: { tier: "front" } } } } } };

	test("waits for the engine, and only where nothing else speaks against it", () => {
		const { pipeline, runs } = setup({ ...config, discovery: { docker: "unix:///d", labels: false } });
		pipeline.onEvents([listen(inContainer(2)), listen(inContainer(2, 81))]);
		expect(verdicts(pipeline)).toEqual(["pending: web: Docker does not answer", "out: web: port 81 is not in 80"]);
		runs(labelled(2, { tier: "front" }));
		expect(pools(pipeline)).toEqual({ web: ["10.0.0.2:80"] });
	});

	test("says what does not fit", () => {
		const { pipeline, runs } = setup(config);
		runs(labelled(2, { tier: "back" }));
		runs(labelled(3, {}, { name: "db" }));
		pipeline.onEvents([listen(inContainer(2)), listen(inContainer(3))]);
		expect(verdicts(pipeline)).toEqual([
			"out: web: label tier back does not match front",
			"out: web: container db does not match app-*",
		]);
	});
});

test("the signal that a container names drains it, where the service names none", () => {
	const { pipeline, runs } = setup();
	runs(labelled(2, { "solisten.service": "web" }, { stopSignal: "SIGQUIT" }));
	runs(labelled(3, { "solisten.service": "web" }));
	const [first, second] = [inContainer(2, 80, { pid: 11 }), inContainer(3, 80, { pid: 12 })];
	pipeline.onEvents([listen(first), listen(second)]);
	const stop = (signal: number, pid: number) =>
		({ kind: "stopping", signal, pid, pidNamespace: 1, isInit: false, comm: "app", atNs: 50 }) as const;
	pipeline.onEvents([stop(15, 11)]);
	expect(pipeline.desired()?.[0]?.backends.map(({ state }) => state)).toEqual(["ready", "ready"]);
	pipeline.onEvents([stop(3, 11)]);
	expect(pipeline.desired()?.[0]?.backends.map(({ state }) => state)).toEqual(["drain", "ready"]);
	pipeline.close();
});

test("another configuration keeps the services by label, and what their containers may", () => {
	const { pipeline, runs } = setup();
	runs(labelled(2, { "solisten.service": "web" }));
	pipeline.onEvents([listen(inContainer(2))]);
	pipeline.reconfigure(
		configSchema.parse({ discovery: { docker: "unix:///d" }, services: { api: { match: { port: 1 } } } }),
	);
	expect(pools(pipeline)).toEqual({ api: [], web: ["10.0.0.2:80"] });
	pipeline.reconfigure(
		configSchema.parse({ discovery: { docker: "unix:///d" }, services: { web: { match: { port: 1 } } } }),
	);
	expect(pools(pipeline)).toEqual({ web: [] });
	pipeline.close();
});

describe("a port of the host that a proxy has from an earlier run, and at which nobody listens", () => {
	const services = [{ name: "web", mode: "http", hosts: [], drainTimeout: 30_000, order: 1 }] as const;
	const published = { service: "web", address: "127.0.0.1", port: 8080 };
	const closed = () => setup({}, { holds: [], services }, () => "closed");

	test("stays while the engine may have passed it on to a container, and goes when that says something else", () => {
		const { pipeline, runs } = closed();
		pipeline.onEvents([listen(inContainer(2))]);
		pipeline.adopt([published]);
		vi.advanceTimersByTime(60_000);
		expect(pools(pipeline)).toEqual({ web: ["127.0.0.1:8080"] });
		runs(labelled(2, {}));
		vi.advanceTimersByTime(60_000);
		expect(pools(pipeline)).toEqual({ web: [] });
		pipeline.close();
		expect(vi.getTimerCount()).toBe(0);
	});

	test("goes at once where all containers are known", () => {
		const { pipeline, runs } = closed();
		runs(labelled(2, {}));
		pipeline.onEvents([listen(inContainer(2))]);
		pipeline.adopt([published]);
		vi.advanceTimersByTime(60_000);
		expect(pools(pipeline)).toEqual({ web: [] });
		pipeline.close();
	});
});
