import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { ExplainView, Question } from "../../../src/admin/explain-view.js";
import type { ProxyView } from "../../../src/admin/view.js";
import { backendId } from "../../../src/backends/backend.js";
import { configSchema } from "../../../src/config/schema.js";
import { explain } from "../../../src/explain/answer.js";
import type { ContainerLookup } from "../../../src/identity/container.js";
import type { Addresses } from "../../../src/identity/identity.js";
import { UNKNOWN_ROUTES } from "../../../src/identity/routes.js";
import type { Listener } from "../../../src/listeners/event.js";
import { netnsKey } from "../../../src/listeners/ids.js";
import { createPipeline } from "../../../src/pipeline.js";
import { proxyView } from "../admin/status.js";
import { containerOf } from "../backends/labels/declaring.js";
import { close, listen, listenerOf, pause, stop } from "../listeners/listener.js";

beforeEach(() => {
	vi.useFakeTimers();
});
afterEach(() => {
	vi.useRealTimers();
});

const CONFIG = {
	services: {
		web: { match: { port: 80 }, lastGrace: "1s" },
		api: { match: { port: 8080, hostname: "api-*" } },
	},
};

/** The kernel's clock runs with ours. */
const bootTimeNs = () => performance.now() * 1e6;

function setup(config: object = CONFIG) {
	const addresses = new Map<string, Addresses>();
	let container: ContainerLookup | undefined;
	let proxies: readonly ProxyView[] = [proxyView()];
	const pipeline = createPipeline({
		config: configSchema.parse(config),
		resolver: {
			resolve: ({ netns, netnsInode, comm, hostname }: Listener) => ({
				identity: {
					comm,
					hostname,
					netnsInode,
					netnsName: `ns-${netns}`,
					...(container?.state === "known" && { container: container.container.id }),
				},
				addresses: addresses.get(netns) ?? { state: "unknown", why: "the process is gone" },
				isHost: false,
				...(container !== undefined && { container }),
			}),
			expire: () => {},
			routesOf: () => UNKNOWN_ROUTES,
			want: () => {},
			forget: () => {},
			disturbed: () => [],
		},
		presenceOf: () => "unknown",
		log: pino({ enabled: false }),
		now: () => performance.now(),
		bootTimeNs,
		onChange: () => {},
		requestRead: () => {},
	});
	const ask = (question?: Question) =>
		explain(question, {
			pipeline,
			proxiesOf: () => proxies,
			toIso: (ms) => new Date(ms).toISOString(),
			recordedSinceMs: 0,
		});
	const answerTo = (what?: string): ExplainView => {
		const explained = ask(what === undefined ? undefined : { what, as: undefined });
		if (!explained.ok) throw new Error(explained.message);
		return explained.answer;
	};
	return {
		pipeline,
		ask,
		answerTo,
		has: (netns: string, ...ipv4: string[]) => addresses.set(netns, { state: "known", ipv4, ipv6: [] }),
		setContainer: (lookup: ContainerLookup) => {
			container = lookup;
		},
		setProxies: (views: readonly ProxyView[]) => {
			proxies = views;
		},
		steps: (what: string) =>
			answerTo(what).listeners[0]?.steps.map(({ step, service, state, text }) =>
				[step, service ?? "-", state, text].join(" | "),
			),
		changes: (what: string) =>
			answerTo(what).listeners[0]?.history.map(({ backend, text }) =>
				backend === undefined ? text : `${backend} ${text}`,
			),
	};
}

const read = (rows: readonly Listener[] = []) => ({ beganNs: bootTimeNs(), complete: true, rows });
const at = (socket: number, change: Partial<Listener> = {}) => listenerOf(socket, bootTimeNs(), change);

describe("the steps of a listener", () => {
	test("in a pool lead to the proxies, and none is missing", () => {
		const { pipeline, has, steps, answerTo } = setup();
		pipeline.onRead(read());
		has("4196", "10.0.0.2");
		pipeline.onEvents([listen(at(1))]);
		expect(steps("80")).toEqual([
			"seen | - | done | pid 4711 listens (tcp, backlog 128)",
			"identity | - | done | hostname web-1",
			"rule | web | done | it matches",
			"address | web | done | 10.0.0.2:80",
			"pool | web | done | ready: it listens",
			"proxy | web | done | applied",
			"rule | api | no | port 80 is not in 8080",
		]);
		expect(answerTo("80").listeners[0]).not.toHaveProperty("waitingFor");
	});

	test("without an address end there, and wait", () => {
		const { pipeline, steps, answerTo } = setup();
		pipeline.onRead(read([at(1)]));
		expect(steps("80")?.slice(2, 4)).toEqual([
			"rule | web | done | it matches",
			"address | web | waiting | its addresses are not known: the process is gone",
		]);
		expect(answerTo("80").listeners[0]?.waitingFor).toMatchObject({ step: "address", service: "web" });
	});

	test("that no proxy may reach end there, and wait for nothing", () => {
		const { pipeline, steps, answerTo } = setup();
		pipeline.onRead(read([at(1, { address: "127.0.0.1" })]));
		const why = "it is bound to 127.0.0.1, which only its own network namespace reaches";
		expect(steps("80")?.[3]).toBe(`address | web | no | ${why}`);
		expect(answerTo().listeners).toMatchObject([{ waitingFor: { step: "address", state: "no", text: why } }]);
	});

	test("of a container that its engine does not tell of wait for the engine first", () => {
		const { pipeline, has, setContainer, answerTo, changes } = setup();
		pipeline.onRead(read());
		has("4196", "10.0.0.2");
		setContainer({ state: "waiting", why: "the engine does not answer" });
		pipeline.onEvents([listen(at(1))]);
		expect(answerTo("80").listeners[0]?.waitingFor).toEqual({
			step: "identity",
			state: "waiting",
			text: "the engine does not answer (known so far: hostname web-1)",
		});
		expect(changes("80")?.[0]).toBe("it listens: pid 4711 nginx, backlog 128; pending: the engine does not answer");
	});

	test("show a pool that keeps it out, a proxy that fails, and a service that no proxy serves", () => {
		const { pipeline, has, steps, answerTo, setProxies } = setup();
		has("4196", "10.0.0.2");
		pipeline.onRead(read([at(1)]));
		setProxies([proxyView(), proxyView({ name: "front", state: "failed", why: "line 3" })]);
		expect(steps("80")?.slice(5, 7)).toEqual([
			"proxy | web | done | applied",
			"proxy | web | waiting | failed: line 3",
		]);
		expect(answerTo("80").listeners[0]?.waitingFor).toMatchObject({ step: "proxy", proxy: "front" });
		setProxies([]);
		expect(steps("80")?.[5]).toBe("proxy | web | no | no proxy serves the service");
		pipeline.hold({ service: "web", id: backendId("10.0.0.2", 80) }, "down");
		expect(steps("80")?.[4]).toBe("pool | web | no | held (down): a person took it out");
	});
});

describe("what happened", () => {
	test("is told from the listen to the end of the last one's grace, also after it closed", () => {
		const { pipeline, has, changes, answerTo } = setup();
		pipeline.onRead(read());
		has("4196", "10.0.0.2");
		const listener = at(1);
		pipeline.onEvents([listen(listener)]);
		vi.advanceTimersByTime(10);
		pipeline.onEvents([close(listener, bootTimeNs())]);
		vi.advanceTimersByTime(2000);
		expect(changes("80")).toEqual([
			expect.stringMatching(/^(it listens|web)/),
			expect.stringMatching(/^(it listens|web)/),
			"it closed",
			"web/10.0.0.2:80 closing: closed as the last one, stays for 1 s",
			"web/10.0.0.2:80 left the pool",
		]);
		expect(answerTo("80")).toMatchObject({
			meanings: [{ meaning: "port", name: "80", listening: 0, closed: 1 }],
			listeners: [{ state: "closed", port: 80, pid: 4711, netnsName: "ns-4196", steps: [] }],
		});
		expect(answerTo("web/10.0.0.2:80").listeners).toHaveLength(1);
	});

	test("of a backend is told to each endpoint that leads there", () => {
		const { pipeline, has, answerTo } = setup();
		pipeline.onRead(read());
		has("4196", "10.0.0.2");
		pipeline.onEvents([listen(at(1)), listen(at(2, { address: "10.0.0.2" }))]);
		pipeline.hold({ service: "web", id: backendId("10.0.0.2", 80) }, "drain");
		const last = answerTo("80").listeners.map(({ history }) => history.at(-1)?.text);
		expect(last).toEqual(["held (drain): a person drained it", "held (drain): a person drained it"]);
	});

	test("has what a person and the kernel said in between", () => {
		const { pipeline, has, changes } = setup();
		pipeline.onRead(read());
		has("4196", "10.0.0.2");
		pipeline.onEvents([listen(at(1))]);
		const backend = { service: "web", id: backendId("10.0.0.2", 80) };
		vi.advanceTimersByTime(1);
		pipeline.hold(backend, "down");
		vi.advanceTimersByTime(1);
		pipeline.release(backend);
		vi.advanceTimersByTime(1);
		pipeline.onEvents([stop(bootTimeNs())]);
		vi.advanceTimersByTime(1);
		has("4196", "10.0.0.3");
		pipeline.recheck();
		const told = changes("80")?.slice(2) ?? [];
		expect(told).toEqual(
			expect.arrayContaining([
				"web/10.0.0.2:80 held (down): a person took it out",
				"web/10.0.0.2:80 ready: it listens",
				"told to stop by SIGTERM",
				"its addresses are 10.0.0.3 (were 10.0.0.2)",
				"in web as 10.0.0.3:80 (was in web as 10.0.0.2:80)",
			]),
		);
	});

	test("is nothing, where a read or a look finds nothing new, and nothing at the start", () => {
		const { pipeline, has, changes } = setup();
		has("4196", "10.0.0.2");
		const rows = [at(1)];
		pipeline.onRead(read(rows));
		pipeline.onRead(read(rows));
		pipeline.recheck();
		vi.advanceTimersByTime(60_000);
		expect(changes("80")).toEqual([]);
	});

	test("is also that other rules decide otherwise", () => {
		const { pipeline, has, changes } = setup();
		has("4196", "10.0.0.2");
		pipeline.onRead(read([at(1)]));
		pipeline.reconfigure(configSchema.parse({ services: { web: { match: { port: 81 } } } }));
		expect(changes("80")).toContain("out: web: port 80 is not in 81 (was in web as 10.0.0.2:80)");
	});
});

describe("a question", () => {
	test("for nothing in particular shows those that are on the way or held up, and counts the others", () => {
		const { pipeline, has, answerTo } = setup();
		has("1", "10.0.0.1");
		has("2", "10.0.0.2");
		const inNetns = (netns: string) => ({ netns: netnsKey(netns) });
		pipeline.onRead(
			read([
				at(1, inNetns("1")),
				at(2, inNetns("2")),
				at(3, inNetns("3")),
				at(4, { ...inNetns("1"), port: 8080 }),
				at(5, { ...inNetns("1"), port: 9 }),
			]),
		);
		pipeline.hold({ service: "web", id: backendId("10.0.0.2", 80) }, "drain");
		pipeline.hold({ service: "web", id: backendId("10.0.0.9", 80) }, "down");
		const { listeners, others, strays, meanings } = answerTo();
		expect(listeners.map(({ netnsName, waitingFor }) => [netnsName, waitingFor?.step])).toEqual([
			["ns-2", "pool"],
			["ns-3", "address"],
		]);
		expect({ others, meanings }).toEqual({ others: { in: 1, unmatched: 2 }, meanings: [] });
		const reason = "nothing listens there now";
		expect(strays).toEqual([{ service: "web", id: "10.0.0.9:80", state: "down", held: true, reason }]);
	});

	test("for a backend of another host says whose it is, since when, and what became of it, also after it went", () => {
		const { pipeline, answerTo, ask } = setup({ ...CONFIG, fleet: { redis: "redis://10.0.0.9" } });
		const identity = { comm: "nginx", hostname: "web", netnsInode: 0 } as const;
		const offer = { service: "web", address: "10.0.1.1", port: 80, weight: 100, identity };
		const tells = (host: string, ...told: readonly (typeof offer)[]) => {
			const info = { host, version: "1", lease: 10_000, draining: false, services: [] };
			const offers = new Map(told.map((one) => ["web|10.0.1.1:80", one]));
			pipeline.onRemote([{ kind: "whole", host: info, offers }]);
		};
		pipeline.onRead(read());
		tells("b", offer);
		const at = new Date(performance.now()).toISOString();
		const strays = () => answerTo("web/10.0.1.1:80").strays;
		const stray = { service: "web", id: "10.0.1.1:80", held: false };
		expect(strays()).toEqual([{ ...stray, state: "ready", host: "b", reason: "it listens on host b", since: at }]);
		tells("c", offer);
		vi.advanceTimersByTime(1000);
		tells("c");
		tells("b");
		const texts = () => strays()[0]?.history?.map(({ text }) => text);
		expect(texts()).toEqual([
			"closing: closed as the last one, stays for 1 s",
			expect.stringMatching(/^out: host . offers it: host . claims 10\.0\.1\.1:80, too/),
			"ready: it listens on host b",
			"closing: closed as the last one, stays for 1 s",
		]);
		vi.advanceTimersByTime(1000);
		expect(strays()).toMatchObject([{ ...stray, state: "out", reason: "it left the pool: nobody offers it any more" }]);
		expect(texts()?.at(-1)).toBe("left the pool");
		expect(ask({ what: "10.0.1.2:80", as: undefined })).toMatchObject({ ok: false });
	});

	test("for a service without listeners shows those that come near", () => {
		const { pipeline, answerTo } = setup();
		pipeline.onRead(read([at(1, { port: 8080 }), at(2, { port: 9 })]));
		expect(answerTo("api")).toMatchObject({
			meanings: [{ meaning: "service", name: "api", listening: 0, closed: 0 }],
			misses: [{ service: "api", port: 8080, key: "hostname", text: "hostname web-1 does not match api-*" }],
		});
	});

	test("for a service that a container names in vain shows that first, and why", () => {
		const { pipeline, answerTo, setContainer } = setup();
		const container = containerOf(7, { labels: new Map([["solisten.service", "api other"]]), exposed: [9] });
		setContainer({ state: "known", container });
		pipeline.onContainers([{ id: container.id, container, isMoved: false }]);
		pipeline.onRead(read([at(1, { port: 8080 })]));
		const refused = "the configuration has a service of that name (discovery.allow lets containers join it)";
		expect(answerTo("api").misses).toMatchObject([{ service: "api", port: 8080, key: "label", text: refused }]);
		const elsewhere = "its label means port 9, not 8080";
		expect(answerTo("other").misses).toMatchObject([{ service: "other", port: 8080, key: "label", text: elsewhere }]);
	});

	test("for one that is paused says so at its pool and where it was seen, and remembers when it was, and ran again", () => {
		const { pipeline, answerTo, has } = setup();
		has("1", "10.0.0.1");
		has("2", "10.0.0.2");
		pipeline.onRead(read([at(1, { netns: netnsKey("1") }), at(2, { netns: netnsKey("2"), pid: 2 })]));
		vi.advanceTimersByTime(10);
		pipeline.onEvents([pause(30, "signal", "paused", { pid: 2 })]);
		const [paused] = answerTo("10.0.0.2:80").listeners;
		expect(paused?.waitingFor).toMatchObject({ step: "pool", state: "waiting" });
		expect(paused?.waitingFor?.text).toMatch(/^down: paused.*kill -CONT 2/);
		expect(paused?.steps[0]?.text).toMatch(/, and is paused by a signal,$/);
		pipeline.onEvents([pause(40, "signal", "resumed", { pid: 2 })]);
		const [running] = answerTo("10.0.0.2:80").listeners;
		expect(running?.waitingFor).toBeUndefined();
		expect(running?.history.map(({ change, text }) => [change, text])).toEqual([
			["paused", "paused: stopped by a signal"],
			["backend", expect.stringMatching(/^down: paused/)],
			["resumed", "it runs again"],
			["backend", "ready: it listens"],
		]);
	});

	test("for nothing in particular leaves out the ports beside the one that a label means, once somebody listens there", () => {
		const { pipeline, answerTo, has, setContainer } = setup({});
		const container = containerOf(7, { labels: new Map([["solisten.web.port", "80"]]) });
		setContainer({ state: "known", container });
		has("4196", "10.0.0.2");
		pipeline.onContainers([{ id: container.id, container, isMoved: false }]);
		pipeline.onRead(read([at(1, { port: 9100 })]));
		expect(answerTo()).toMatchObject({ listeners: [{ port: 9100 }], others: { in: 0, unmatched: 0 } });
		pipeline.onEvents([listen(at(2))]);
		expect(answerTo()).toMatchObject({ listeners: [], others: { in: 1, unmatched: 1 } });
	});

	test("for what there is not has no answer but the nearest names", () => {
		const { pipeline, ask } = setup();
		pipeline.onRead(read([at(1)]));
		expect(ask({ what: "wbe", as: undefined })).toEqual({
			ok: false,
			message: expect.stringMatching(/did you mean web\?\)$/),
		});
		expect(ask({ what: "80", as: "pid" })).toMatchObject({ ok: false });
	});
});
