/** What containers declare, through the pipeline: from what an engine tells to the desired set. */

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { configSchema } from "../../src/config/schema.js";
import type { Probe } from "../../src/readiness/probe.js";
import type { Remembered } from "../../src/state.js";
import { inContainer, labelled, pools, setup, verdicts } from "./containers.js";
import { close, listen } from "./listeners/listener.js";

beforeEach(() => {
	vi.useFakeTimers();
});
afterEach(() => {
	vi.useRealTimers();
});

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

	test("that makes no sense is told of once, however often it starts and whatever is reloaded", () => {
		const { pipeline, runs, ends, warnings } = setup();
		const container = labelled(2, { "solisten.service": "web", "solisten.port": "http" });
		for (let start = 0; start < 3; start++) {
			runs(container);
			ends(container);
		}
		runs(container);
		pipeline.reconfigure(configSchema.parse({ discovery: { docker: "unix:///d" } }));
		expect(warnings).toHaveLength(1);
		runs(labelled(2, { "solisten.service": "web", "solisten.port": "none" }));
		expect(warnings.map(({ problems: [first] }) => first?.replace(/.*not /, ""))).toEqual(['"http"', '"none"']);
		pipeline.close();
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

	test("is waited for while only an event has told of the container, and not what its image exposes", () => {
		const { pipeline, runs } = setup();
		const container = labelled(2, { "solisten.service": "web" }, { env: undefined });
		runs(container);
		pipeline.onEvents([listen(inContainer(2, 80)), listen(inContainer(2, 9000))]);
		expect(pools(pipeline)).toEqual({ web: [] });
		expect(verdicts(pipeline)[0]).toBe(
			"pending: web: its label names no port, and what its image exposes is not known yet",
		);
		runs({ ...container, env: new Map(), exposed: [9000] });
		expect(pools(pipeline)).toEqual({ web: ["10.0.0.2:9000"] });
		pipeline.close();
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

test("a server of an earlier run goes with its listener, also where other rules have let that in", () => {
	const web = (match: object) => ({
		discovery: { docker: "unix:///d" },
		services: { web: { match, lastGrace: "0s" } },
	});
	const { pipeline } = setup(web({ port: 80, container: { name: "app-*" } }));
	const listener = inContainer(2);
	pipeline.onEvents([listen(listener)]);
	pipeline.adopt([{ service: "web", address: "10.0.0.2", port: 80 }]);
	expect(pools(pipeline)).toEqual({ web: ["10.0.0.2:80"] });
	pipeline.reconfigure(configSchema.parse(web({ port: 80 })));
	expect(pools(pipeline)).toEqual({ web: ["10.0.0.2:80"] });
	pipeline.onEvents([close(listener, 30)]);
	expect(pools(pipeline)).toEqual({ web: [] });
	pipeline.close();
});

test("a server of an earlier run goes with its service, and does not come back with one of that name", () => {
	const services = [{ name: "web", mode: "http", hosts: [], drainTimeout: 30_000, order: 1 }] as const;
	const { pipeline, runs } = setup({}, { holds: [], services });
	pipeline.adopt([{ service: "web", address: "10.0.0.2", port: 80 }]);
	expect(pools(pipeline)).toEqual({ web: ["10.0.0.2:80"] });
	expect(pipeline.forget("web")).toBeUndefined();
	runs(labelled(3, { "solisten.service": "web" }));
	pipeline.reconfigure(configSchema.parse({ discovery: { docker: "unix:///d" } }));
	expect(pools(pipeline)).toEqual({ web: [] });
	pipeline.close();
});

test.each(["constructor", "toString"])("a service named %s is one like all others", (name) => {
	const { pipeline, runs, ends } = setup();
	const container = labelled(2, { "solisten.service": name });
	pipeline.adopt([{ service: name, address: "10.0.0.9", port: 80 }]);
	runs(container);
	pipeline.onEvents([listen(inContainer(2))]);
	expect(pools(pipeline)).toEqual({ [name]: ["10.0.0.2:80"] });
	ends(container);
	expect(pipeline.forget(name)).toBeUndefined();
	expect(pipeline.desired()).toEqual([]);
	pipeline.close();
});

describe("a port of the host that a proxy has from an earlier run, and at which nobody listens", () => {
	const services = [{ name: "web", mode: "http", hosts: [], drainTimeout: 30_000, order: 1 }] as const;
	const published = { service: "web", address: "127.0.0.1", port: 8080 };
	const closed = () => setup({}, { holds: [], services }, { presenceOf: () => "closed" });

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

describe("a gate that waits", () => {
	const web = labelled(2, { "solisten.service": "web", "solisten.ready": "/healthz" });
	/** Nobody answers, until it is told to. */
	function waiting(remembered?: Remembered) {
		const asked: AbortSignal[] = [];
		let isReady = false;
		const probe: Probe = async (_question, _timeoutMs, signal) => {
			asked.push(signal);
			return { isReady, said: "status 503" };
		};
		const story = setup({}, remembered, { probe });
		const answer = () => {
			isReady = true;
		};
		return { ...story, asked, answer };
	}
	const rules = (config: object) => configSchema.parse({ discovery: { docker: "unix:///d" }, ...config });

	test("ends with the container, with the labels, and where the configuration takes the service over", async () => {
		const ends: ((story: ReturnType<typeof waiting>) => void)[] = [
			({ ends: end }) => end(web),
			({ pipeline }) => pipeline.reconfigure(rules({ discovery: { docker: "unix:///d", labels: false } })),
			({ pipeline }) => pipeline.reconfigure(rules({ services: { web: { match: { port: 1 } } } })),
			({ pipeline }) => pipeline.onEvents([close(inContainer(2), 30)]),
		];
		for (const end of ends) {
			const story = waiting();
			story.pipeline.adopt([]);
			story.runs(web);
			story.pipeline.onEvents([listen(inContainer(2))]);
			await vi.advanceTimersByTimeAsync(500);
			expect(story.asked.length).toBeGreaterThan(2);
			end(story);
			await vi.advanceTimersByTimeAsync(5000);
			const asked = story.asked.length;
			await vi.advanceTimersByTimeAsync(60_000);
			expect(story.asked).toHaveLength(asked);
			story.pipeline.close();
			expect(vi.getTimerCount()).toBe(0);
		}
	});

	test("goes on, and asks no more often, whatever happens to others", async () => {
		const story = waiting();
		const { pipeline, runs, asked, answer } = story;
		pipeline.adopt([]);
		runs(web);
		pipeline.onEvents([listen(inContainer(2))]);
		await vi.advanceTimersByTimeAsync(1000);
		const before = asked.length;
		pipeline.reconfigure(rules({ services: { api: { match: { port: 1 } } } }));
		pipeline.recheck();
		runs(web);
		runs(labelled(3, { "solisten.service": "web,shop" }));
		expect(asked).toHaveLength(before);
		expect(asked.at(-1)?.aborted).toBe(false);
		answer();
		await vi.advanceTimersByTimeAsync(200);
		expect(pools(pipeline)).toEqual({ api: [], shop: [], web: ["10.0.0.2:80"] });
		pipeline.close();
	});

	test("is passed by who a proxy has from an earlier run, also where the engine answers late, and by no other", async () => {
		const services = [{ name: "web", mode: "http", hosts: [], drainTimeout: 30_000, order: 1 }] as const;
		const { pipeline, runs, asked } = waiting({ holds: [], services });
		pipeline.onEvents([listen(inContainer(2)), listen(inContainer(3))]);
		pipeline.adopt([{ service: "web", address: "10.0.0.2", port: 80 }]);
		await vi.advanceTimersByTimeAsync(1000);
		runs(web);
		runs(labelled(3, { "solisten.service": "web", "solisten.ready": "tcp" }));
		await vi.advanceTimersByTimeAsync(1000);
		expect(pools(pipeline)).toEqual({ web: ["10.0.0.2:80"] });
		expect(asked.length).toBeGreaterThan(0);
		pipeline.close();
		expect(vi.getTimerCount()).toBe(0);
	});
});
