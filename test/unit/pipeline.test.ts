import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { backendId, type DesiredChange, type Hold } from "../../src/backends/backend.js";
import { type Config, configSchema } from "../../src/config/schema.js";
import type { Addresses } from "../../src/identity/identity.js";
import type { Presence } from "../../src/identity/presence.js";
import { UNKNOWN_ROUTES } from "../../src/identity/routes.js";
import type { Listener } from "../../src/listeners/event.js";
import { netnsKey } from "../../src/listeners/ids.js";
import { createPipeline, type Pipeline } from "../../src/pipeline.js";
import type { Probe } from "../../src/readiness/probe.js";
import { close, listen, listenerOf } from "./listeners/listener.js";
import { createListeners } from "./readiness/questions.js";

beforeEach(() => {
	vi.useFakeTimers();
});
afterEach(() => {
	vi.useRealTimers();
});

const web = (match: object): Config => configSchema.parse({ services: { web: { match } } });

/** The kernel's clock runs with ours. */
const bootTimeNs = () => performance.now() * 1e6;

function setup(config: Config = web({ port: 80 }), holds: readonly Hold[] = [], probe?: Probe) {
	const addresses = new Map<string, Addresses>();
	/** As the real one does, for 50 ms. */
	const remembered = new Map<string, { readonly addresses: Addresses; readonly atMs: number }>();
	const addressesOf = (netns: string): Addresses => {
		const last = remembered.get(netns);
		if (last?.addresses.state === "known" && performance.now() - last.atMs < 50) return last.addresses;
		const now: Addresses = addresses.get(netns) ?? { state: "unknown", why: "the process is gone" };
		remembered.set(netns, { addresses: now, atMs: performance.now() });
		return now;
	};
	const presence = new Map<string, Presence>();
	const changes: DesiredChange[] = [];
	const kept: (readonly Hold[])[] = [];
	let reads = 0;
	const pipeline = createPipeline({
		config,
		resolver: {
			resolve: ({ netns, netnsInode, comm, hostname }: Listener) => ({
				identity: { comm, hostname, netnsInode },
				addresses: addressesOf(netns),
				isHost: false,
			}),
			expire: () => remembered.clear(),
			routesOf: () => UNKNOWN_ROUTES,
			want: () => undefined,
			forget: () => undefined,
			disturbed: () => [],
		},
		presenceOf: ({ address, port, netns }) =>
			presence.get(`${address}:${port}${netns === "host" ? "" : ` in ${netns}`}`) ?? "unknown",
		log: pino({ enabled: false }),
		now: () => performance.now(),
		bootTimeNs,
		remembered: { holds, services: [] },
		...(probe !== undefined && { probe }),
		onRemember: ({ holds: all }) => kept.push(all),
		onChange: (change) => changes.push(change),
		requestRead: () => reads++,
	});
	const has = (netns: string, ...ipv4: string[]) => addresses.set(netns, { state: "known", ipv4, ipv6: [] });
	return { pipeline, presence, changes, has, kept, reads: () => reads };
}

const ids = (pipeline: Pipeline) => pipeline.desired()?.flatMap(({ backends }) => backends.map(({ id }) => id));
const read = (rows: readonly Listener[] = [], beganNs = 5) => ({ beganNs, complete: true, rows });
const inNetns = (netns: string) => ({ netns: netnsKey(netns) });

test("before the first read the desired set is unknown, not empty", () => {
	const { pipeline } = setup();
	expect(pipeline.desired()).toBeUndefined();
	pipeline.onRead(read());
	expect(pipeline.desired()).toMatchObject([{ name: "web", backends: [] }]);
});

test("a listener that matches joins at its namespace's address, and says so once", () => {
	const { pipeline, changes, has } = setup();
	pipeline.onRead(read());
	has("4196", "10.0.0.2");
	pipeline.onEvents([listen(listenerOf(1, 10))]);
	expect(ids(pipeline)).toEqual(["10.0.0.2:80"]);
	expect(changes).toMatchObject([{ removal: false }]);
});

test("a listener that no service wants changes nothing, and its verdict says why", () => {
	const { pipeline, changes, has } = setup();
	pipeline.onRead(read());
	has("4196", "10.0.0.2");
	pipeline.onEvents([listen(listenerOf(1, 10, { port: 81 }))]);
	expect(changes).toEqual([]);
	expect(pipeline.listeners()).toMatchObject([{ verdict: { state: "out", why: "web: port 81 is not in 80" } }]);
});

test("a listener whose addresses are not known yet is pending, and joins when they are", () => {
	const { pipeline, changes, has } = setup();
	pipeline.onRead(read());
	pipeline.onEvents([listen(listenerOf(1, 10))]);
	expect(pipeline.listeners()).toMatchObject([{ verdict: { state: "pending" } }]);
	vi.advanceTimersByTime(1000);
	expect(changes).toEqual([]);
	has("4196", "10.0.0.2");
	vi.advanceTimersByTime(2000);
	expect(ids(pipeline)).toEqual(["10.0.0.2:80"]);
	expect(changes).toHaveLength(1);
	pipeline.close();
	expect(vi.getTimerCount()).toBe(0);
});

test.each([
	["loses its address", (pipeline: Pipeline) => pipeline.recheck()],
	["is wanted by other rules", (pipeline: Pipeline) => pipeline.reconfigure(web({ port: [80, 81] }))],
])("a listener that %s is pending, and joins again when its address is known", (_, look) => {
	const { pipeline, has } = setup();
	has("4196", "10.0.0.2");
	pipeline.onRead(read([listenerOf(1, 10)], 20));
	has("4196");
	look(pipeline);
	vi.advanceTimersByTime(5000);
	expect(ids(pipeline)).toEqual([]);
	expect(pipeline.listeners()).toMatchObject([{ verdict: { state: "pending" } }]);
	has("4196", "10.0.0.2");
	vi.advanceTimersByTime(10_000);
	expect(ids(pipeline)).toEqual(["10.0.0.2:80"]);
	pipeline.close();
	expect(vi.getTimerCount()).toBe(0);
});

test("the last backend stays for its grace, and its end is told", () => {
	const { pipeline, changes, has } = setup();
	has("4196", "10.0.0.2");
	const a = listenerOf(1, 10);
	pipeline.onRead(read([a], 20));
	pipeline.onEvents([close(a, 30)]);
	expect(ids(pipeline)).toEqual(["10.0.0.2:80"]);
	vi.advanceTimersByTime(3000);
	expect(ids(pipeline)).toEqual([]);
	expect(changes.at(-1)).toMatchObject({ removal: true });
});

test("an address that two namespaces claim joins from neither, and both verdicts say so", () => {
	const { pipeline, has } = setup();
	has("7", "10.0.2.100");
	has("8", "10.0.2.100");
	pipeline.onRead(read([listenerOf(1, 10, inNetns("7")), listenerOf(2, 11, inNetns("8"))], 20));
	expect(ids(pipeline)).toEqual([]);
	const why = "web: another network namespace claims 10.0.2.100:80, too";
	expect(pipeline.listeners()).toMatchObject([{ verdict: { state: "out", why } }, { verdict: { state: "out", why } }]);
});

test("an address that changes while the listener lives is followed at the next look", () => {
	const { pipeline, has } = setup();
	has("4196", "10.0.0.2");
	pipeline.onRead(read([listenerOf(1, 10)], 20));
	has("4196", "10.0.0.3");
	pipeline.recheck();
	expect(ids(pipeline)).toEqual(["10.0.0.3:80"]);
});

test("other rules judge everything anew", () => {
	const { pipeline, changes, has } = setup();
	has("4196", "10.0.0.2");
	pipeline.onRead(read([listenerOf(1, 10)], 20));
	pipeline.reconfigure(web({ port: 81 }));
	expect(ids(pipeline)).toEqual([]);
	pipeline.reconfigure(web({ comm: "ngin*" }));
	expect(ids(pipeline)).toEqual(["10.0.0.2:80"]);
	expect(changes.length).toBeGreaterThanOrEqual(2);
});

describe("a server that the proxy has and the seed did not find", () => {
	const server = { service: "web", address: "10.0.0.9", port: 80 };

	test("stays while /proc says that somebody listens, and goes when it closes", () => {
		const { pipeline, presence, has } = setup();
		has("4196", "10.0.0.2");
		presence.set("10.0.0.9:80", "listening");
		pipeline.onRead(read([listenerOf(1, 10)], 20));
		pipeline.adopt([server]);
		expect(ids(pipeline)).toEqual(["10.0.0.2:80", "10.0.0.9:80"]);
		presence.set("10.0.0.9:80", "closed");
		// its close comes from a socket that the table never knew
		pipeline.onEvents([close(listenerOf(9, 10, inNetns("9")), 40)]);
		expect(ids(pipeline)).toEqual(["10.0.0.2:80"]);
	});

	test("stays while nobody can say", () => {
		const { pipeline } = setup();
		pipeline.onRead(read());
		pipeline.adopt([server]);
		pipeline.recheck();
		expect(ids(pipeline)).toEqual(["10.0.0.9:80"]);
	});

	test("goes at once when nobody listens there", () => {
		const { pipeline, presence, has } = setup();
		has("4196", "10.0.0.2");
		presence.set("10.0.0.9:80", "closed");
		pipeline.onRead(read([listenerOf(1, 10)], 20));
		pipeline.adopt([server]);
		expect(ids(pipeline)).toEqual(["10.0.0.2:80"]);
	});

	test("gives way to the kernel's own endpoint, which then counts alone", () => {
		const { pipeline, presence, has } = setup();
		presence.set("10.0.0.9:80", "listening");
		pipeline.onRead(read());
		pipeline.adopt([server]);
		has("9", "10.0.0.9");
		const real = listenerOf(9, 30, inNetns("9"));
		pipeline.onEvents([listen(real)]);
		expect(ids(pipeline)).toEqual(["10.0.0.9:80"]);
		pipeline.onEvents([close(real, 40)]);
		vi.advanceTimersByTime(3000);
		expect(ids(pipeline)).toEqual([]);
	});

	test("gives way to the kernel's own endpoint, also where that was pending, and nothing leaves", () => {
		const { pipeline, presence, changes, has } = setup();
		presence.set("10.0.0.9:80", "listening");
		const real = listenerOf(9, 10, inNetns("9"));
		pipeline.onRead(read([real], 20));
		pipeline.adopt([server]);
		has("9", "10.0.0.9");
		vi.advanceTimersByTime(1000);
		expect(pipeline.listeners()).toMatchObject([{ verdict: { state: "in" } }]);
		expect(ids(pipeline)).toEqual(["10.0.0.9:80"]);
		expect(changes.some(({ removal }) => removal)).toBe(false);
		pipeline.onEvents([close(real, 40)]);
		vi.advanceTimersByTime(3000);
		expect(ids(pipeline)).toEqual([]);
	});

	test("goes where the kernel's own endpoint is judged to be in no pool by now", () => {
		const { pipeline, presence, has } = setup(web({ port: 8002 }));
		presence.set("10.0.0.9:8001", "listening");
		has("9", "10.0.0.9");
		has("4196", "10.0.0.2");
		const other = listenerOf(1, 10, { port: 8002 });
		pipeline.onRead(read([listenerOf(9, 11, { ...inNetns("9"), port: 8001 }), other], 20));
		pipeline.adopt([{ ...server, port: 8001 }]);
		expect(ids(pipeline)).toEqual(["10.0.0.2:8002"]);
	});

	test("at a loopback address concerns the namespace of its proxy alone", () => {
		const [inode, other] = [4_026_532_300, 4_026_532_177];
		const proxy = { name: "edge", type: "haproxy", output: "/run/a.cfg", masterSocket: "/run/m", netns: inode };
		const services = { web: { match: { port: 80, comm: "nginx" } } };
		const { pipeline, presence } = setup(configSchema.parse({ services, proxies: [proxy] }));
		const local = { service: "web", address: "127.0.0.1", port: 80 };
		presence.set("127.0.0.1:80", "closed");
		presence.set(`127.0.0.1:80 in ${inode}`, "listening");
		const loopback = { address: "127.0.0.1", comm: "java" };
		pipeline.onRead(read([listenerOf(1, 10, { ...loopback, netnsInode: other })], 20));
		pipeline.adopt([local]);
		expect(ids(pipeline)).toEqual(["127.0.0.1:80"]);
		pipeline.onEvents([listen(listenerOf(2, 30, { ...loopback, ...inNetns("9"), netnsInode: inode }))]);
		vi.advanceTimersByTime(3000);
		expect(ids(pipeline)).toEqual([]);
	});

	test("stays through a change of the rules", () => {
		const { pipeline } = setup();
		pipeline.onRead(read());
		pipeline.adopt([server]);
		pipeline.reconfigure(web({ port: 80 }));
		expect(ids(pipeline)).toEqual(["10.0.0.9:80"]);
	});
});

test("a listen without a port asks for a read", () => {
	const { pipeline, reads } = setup();
	pipeline.onRead(read());
	pipeline.onEvents([listen(listenerOf(1, 10, { port: 0 }))]);
	expect(reads()).toBe(1);
});

test("a namespace that flaps does not keep the pending ones of others waiting", () => {
	const { pipeline, has } = setup();
	pipeline.onRead(read());
	pipeline.onEvents([listen(listenerOf(1, 10, inNetns("victim")))]);
	has("victim", "10.0.0.5");
	for (let i = 0; i < 20; i++) {
		pipeline.onEvents([listen(listenerOf(100 + i, 100 + i, inNetns("flapping")))]);
		vi.advanceTimersByTime(8);
	}
	expect(ids(pipeline)).toEqual(["10.0.0.5:80"]);
});

test("other rules leave the last backend its grace", () => {
	const { pipeline, has } = setup();
	has("4196", "10.0.0.2");
	const a = listenerOf(1, 10);
	pipeline.onRead(read([a], 20));
	pipeline.onEvents([close(a, 30)]);
	vi.advanceTimersByTime(1000);
	pipeline.reconfigure(web({ port: 80 }));
	expect(ids(pipeline)).toEqual(["10.0.0.2:80"]);
	vi.advanceTimersByTime(2000);
	expect(ids(pipeline)).toEqual([]);
});

test("another process behind the same backend is a change, since templates may show its name", () => {
	const { pipeline, changes, has } = setup();
	has("4196", "10.0.0.2");
	const [a, b] = [listenerOf(1, 10), listenerOf(2, 25, { hostname: "web-2" })];
	pipeline.onRead(read([a], 20));
	pipeline.onEvents([listen(b), close(a, 30)]);
	expect(pipeline.desired()).toMatchObject([{ backends: [{ identity: { hostname: "web-2" } }] }]);
	expect(changes.at(-1)).toMatchObject({ removal: false });
});

test("what comes after it was closed arms no timer", () => {
	const { pipeline } = setup();
	pipeline.onRead(read());
	pipeline.close();
	pipeline.onEvents([listen(listenerOf(1, 10))]);
	expect(vi.getTimerCount()).toBe(0);
});

/** Backends 10.0.0.1 to 10.0.0.`count`, each in a namespace of its own. */
function setupWith(count: number, config?: Config) {
	const story = setup(config);
	const listeners = Array.from({ length: count }, (_, i) => listenerOf(i + 1, 10 + i, inNetns(String(i + 1))));
	for (let n = 1; n <= count; n++) story.has(String(n), `10.0.0.${n}`);
	story.pipeline.onRead(read(listeners, 1000));
	story.changes.length = 0;
	vi.advanceTimersByTime(1);
	const nth = (n: number): Listener => listeners[n - 1] ?? listenerOf(0, 0);
	return { ...story, listeners, nth };
}

const refOf = (n: number) => ({ service: "web", id: backendId(`10.0.0.${n}`, 80) });
const readNow = (rows: readonly Listener[]) => read(rows, bootTimeNs() + 1);

describe("a change", () => {
	test("names what it touched, and nothing else", () => {
		const { pipeline, changes, nth, has } = setupWith(3);
		pipeline.onEvents([close(nth(1), 2000)]);
		has("4", "10.0.0.4");
		pipeline.onEvents([listen(listenerOf(4, 3000, inNetns("4")))]);
		expect(changes).toMatchObject([
			{ touched: [refOf(1)], removal: true },
			{ touched: [refOf(4)], removal: false },
		]);
		expect(pipeline.backend(refOf(1))).toBeUndefined();
		expect(pipeline.backend(refOf(4))).toEqual(pipeline.desired()?.[0]?.backends[2]);
	});

	test("of the rules may touch any", () => {
		const { pipeline, changes } = setupWith(1);
		pipeline.reconfigure(web({ port: 80 }));
		expect(changes).toMatchObject([{ touched: undefined }]);
	});

	test("is not known of one backend before the first read, either", () => {
		const { pipeline, has } = setup();
		has("4196", "10.0.0.2");
		pipeline.onEvents([listen(listenerOf(1, 10))]);
		expect(pipeline.backend(refOf(2))).toBeUndefined();
	});
});

describe("when many backends would leave without a close", () => {
	test("they stay until a later read confirms it", () => {
		const { pipeline, listeners, changes, has, reads } = setupWith(5);
		for (const n of [1, 2, 3]) has(String(n));
		pipeline.recheck();
		expect(ids(pipeline)).toHaveLength(5);
		expect(changes).toEqual([]);
		expect(reads()).toBe(1);
		expect(pipeline.status()[0]?.backends[0]).toMatchObject({
			state: "ready",
			reason: expect.stringMatching(/^waits for/),
		});
		has("3", "10.0.0.3");
		pipeline.onRead(read(listeners, 2000));
		expect(ids(pipeline)).toHaveLength(5);
		vi.advanceTimersByTime(1);
		pipeline.onRead({ ...readNow(listeners), complete: false });
		expect(ids(pipeline)).toHaveLength(5);
		pipeline.onRead(readNow(listeners));
		expect(ids(pipeline)).toEqual(["10.0.0.3:80", "10.0.0.4:80", "10.0.0.5:80"]);
		expect(changes).toMatchObject([{ touched: [refOf(1), refOf(2)], removal: true }]);
	});

	test("since reads lack them, one more read is asked for", () => {
		const { pipeline, nth, reads } = setupWith(4);
		pipeline.onRead(readNow([nth(4)]));
		vi.advanceTimersByTime(1);
		const before = reads();
		pipeline.onRead(readNow([nth(4)]));
		expect(reads()).toBe(before + 1);
		expect(ids(pipeline)).toHaveLength(4);
		vi.advanceTimersByTime(1);
		pipeline.onRead(readNow([nth(4)]));
		expect(ids(pipeline)).toEqual(["10.0.0.4:80"]);
	});

	test("since they match no more, they stay as long", () => {
		const { pipeline, listeners, reads } = setupWith(3);
		pipeline.reconfigure(web({ port: 81 }));
		expect(ids(pipeline)).toHaveLength(3);
		expect(reads()).toBe(1);
		vi.advanceTimersByTime(1);
		pipeline.onRead(readNow(listeners));
		expect(ids(pipeline)).toEqual([]);
	});

	test("the ones that do close go at once", () => {
		const { pipeline, nth, has } = setupWith(5);
		for (const n of [1, 2, 3]) has(String(n));
		pipeline.recheck();
		pipeline.onEvents([close(nth(2), 2000)]);
		expect(ids(pipeline)).toEqual(["10.0.0.1:80", "10.0.0.3:80", "10.0.0.4:80", "10.0.0.5:80"]);
	});
});

describe("a person's word", () => {
	test("is told at once, kept, and shown with the verdict", () => {
		const { pipeline, changes, kept } = setupWith(2);
		pipeline.hold(refOf(1), "drain");
		expect(changes).toMatchObject([{ touched: [refOf(1)], removal: true }]);
		expect(kept).toEqual([[{ ...refOf(1), state: "drain" }]]);
		expect(pipeline.listeners()[0]?.verdict).toEqual({
			state: "in",
			places: [{ service: "web", backend: refOf(1).id, state: "drain", why: "a person drained it" }],
		});
		expect(pipeline.release(refOf(1))).toBe(true);
		expect(pipeline.release(refOf(1))).toBe(false);
		expect(kept.at(-1)).toEqual([]);
		expect(kept).toHaveLength(2);
		expect(pipeline.backend(refOf(1))).toMatchObject({ state: "ready", held: false });
	});

	test("from an earlier run holds from the first read on, and through other rules", () => {
		const { pipeline, has } = setup(web({ port: 80 }), [{ ...refOf(2), state: "down" }]);
		has("4196", "10.0.0.2");
		pipeline.onRead(read([listenerOf(1, 10)], 20));
		pipeline.reconfigure(web({ port: 80 }));
		expect(pipeline.backend(refOf(2))).toMatchObject({ state: "down", held: true });
		expect(pipeline.holds()).toEqual([{ ...refOf(2), state: "down" }]);
	});
});

test("a backend that flaps is held out for its pause, its verdict says so, and it comes back by itself", () => {
	const config = configSchema.parse({
		services: { web: { match: { port: 80 } } },
		flap: { max: 2, window: "30s", hold: "10s" },
	});
	const { pipeline, nth, changes } = setupWith(2, config);
	pipeline.onEvents([close(nth(1), 2000)]);
	pipeline.onEvents([listen(listenerOf(11, 3000, inNetns("1")))]);
	pipeline.onEvents([close(listenerOf(11, 3000, inNetns("1")), 4000)]);
	pipeline.onEvents([listen(listenerOf(12, 5000, inNetns("1")))]);
	expect(ids(pipeline)).toEqual(["10.0.0.2:80"]);
	const why = "web: held out for 10 s: closed 2 times in 30 s";
	expect(pipeline.listeners()).toContainEqual(expect.objectContaining({ verdict: { state: "out", why } }));
	vi.advanceTimersByTime(10_000);
	expect(ids(pipeline)).toEqual(["10.0.0.1:80", "10.0.0.2:80"]);
	expect(changes.at(-1)).toMatchObject({ touched: [refOf(1)], removal: false });
	expect(vi.getTimerCount()).toBe(0);
});

describe("a listener that has to answer before it joins", () => {
	const READY = { http: "/healthz", timeout: "5s" };
	const gated = (match: object = { port: 80 }, ready: object = READY): Config =>
		configSchema.parse({ services: { web: { match, ready } } });

	/** With the daemon's start behind it: the kernel was read, and the proxies had nothing. */
	function setupGated({ adopt = true } = {}) {
		const listeners = createListeners();
		const story = setup(gated(), [], listeners.probe);
		story.has("4196", "10.0.0.2");
		if (adopt) {
			story.pipeline.onRead(read());
			story.pipeline.adopt([]);
		}
		return { ...story, listeners };
	}
	const a = listenerOf(1, 10);

	test("joins with its answer, in a step of its own, and its verdict says for what it waits until then", async () => {
		const { pipeline, listeners, changes } = setupGated();
		listeners.says.set("10.0.0.2:80", "status 503");
		pipeline.onEvents([listen(a)]);
		await vi.advanceTimersByTimeAsync(1000);
		expect(ids(pipeline)).toEqual([]);
		expect(changes).toEqual([]);
		const why = "waits for GET /healthz at 10.0.0.2:80: status 503, 4 s left";
		expect(pipeline.listeners()).toMatchObject([{ verdict: { state: "out", why: `web: ${why}` } }]);
		expect(pipeline.status()).toMatchObject([{ backends: [{ state: "out", reason: why }] }]);
		listeners.says.set("10.0.0.2:80", "ready");
		await vi.advanceTimersByTimeAsync(100);
		expect(ids(pipeline)).toEqual(["10.0.0.2:80"]);
		expect(changes).toMatchObject([{ touched: [refOf(2)], removal: false }]);
		expect(pipeline.listeners()).toMatchObject([{ verdict: { state: "in" } }]);
		expect(vi.getTimerCount()).toBe(0);
	});

	test("that answered is asked no more: with more sockets, at another address, after a while without one, by other rules", async () => {
		const { pipeline, listeners, has } = setupGated();
		listeners.says.set("10.0.0.2:80", "ready");
		pipeline.onEvents([listen(a)]);
		await vi.advanceTimersByTimeAsync(0);
		pipeline.onEvents([listen(listenerOf(2, 20)), close(a, 30)]);
		has("4196", "10.0.0.3");
		pipeline.recheck();
		expect(ids(pipeline)).toEqual(["10.0.0.3:80"]);
		has("4196");
		pipeline.recheck();
		await vi.advanceTimersByTimeAsync(3000);
		expect(ids(pipeline)).toEqual([]);
		has("4196", "10.0.0.3");
		pipeline.recheck();
		expect(ids(pipeline)).toEqual(["10.0.0.3:80"]);
		pipeline.reconfigure(gated({ port: 80 }, { tcp: true }));
		expect(ids(pipeline)).toEqual(["10.0.0.3:80"]);
		expect(listeners.asked).toHaveLength(1);
		pipeline.close();
	});

	test.each([
		["closes", (pipeline: Pipeline) => pipeline.onEvents([close(a, 30)])],
		["is wanted no more", (pipeline: Pipeline) => pipeline.reconfigure(gated({ port: 81 }))],
		["is left alone with the pipeline's end", (pipeline: Pipeline) => pipeline.close()],
	])("that %s is asked no more at once", async (_, happens) => {
		const { pipeline, listeners } = setupGated();
		pipeline.onEvents([listen(a)]);
		await vi.advanceTimersByTimeAsync(100);
		happens(pipeline);
		expect(vi.getTimerCount()).toBe(0);
		await vi.advanceTimersByTimeAsync(10_000);
		expect(listeners).toMatchObject({ open: 0, asked: ["10.0.0.2:80"] });
	});

	test.each([
		[
			"with a look in between",
			(pipeline: Pipeline) => [[close(a, 30)], [listen(listenerOf(2, 31))]].forEach(pipeline.onEvents),
		],
		["at once", (pipeline: Pipeline) => pipeline.onEvents([close(a, 30), listen(listenerOf(2, 31))])],
	])("has to answer again when it closed and listens again, %s", async (_, restart) => {
		const { pipeline, listeners, changes } = setupGated();
		listeners.says.set("10.0.0.2:80", "ready");
		pipeline.onEvents([listen(a)]);
		await vi.advanceTimersByTimeAsync(0);
		listeners.says.set("10.0.0.2:80", "status 503");
		restart(pipeline);
		expect(ids(pipeline)).toEqual([]);
		expect(changes.at(-1)).toMatchObject({ removal: true });
		listeners.says.set("10.0.0.2:80", "ready");
		await vi.advanceTimersByTimeAsync(100);
		expect(ids(pipeline)).toEqual(["10.0.0.2:80"]);
		expect(listeners.asked).toHaveLength(3);
	});

	test("stays out when its time is over, and a change of what it has to answer asks again", async () => {
		const { pipeline, listeners } = setupGated();
		listeners.says.set("10.0.0.2:80", "status 503");
		pipeline.onEvents([listen(a)]);
		await vi.advanceTimersByTimeAsync(5000);
		const { length } = listeners.asked;
		expect(pipeline.status()[0]?.backends[0]?.reason).toMatch(
			/^GET \/healthz at 10\.0\.0\.2:80 did not answer 200-399 within 5 s /,
		);
		listeners.says.set("10.0.0.2:80", "ready");
		pipeline.reconfigure(gated());
		await vi.advanceTimersByTimeAsync(60_000);
		expect(listeners.asked).toHaveLength(length);
		expect(ids(pipeline)).toEqual([]);
		pipeline.reconfigure(gated({ port: 80 }, { tcp: true }));
		await vi.advanceTimersByTimeAsync(0);
		expect(ids(pipeline)).toEqual(["10.0.0.2:80"]);
	});

	test("is not asked for what a proxy has from an earlier run, and is in from the start", async () => {
		const { pipeline, listeners, has } = setupGated({ adopt: false });
		has("3", "10.0.0.3");
		pipeline.onRead(read([a, listenerOf(3, 11, inNetns("3"))], 20));
		await vi.advanceTimersByTimeAsync(2000);
		expect(listeners.asked).toEqual([]);
		pipeline.adopt([{ service: "web", address: "10.0.0.2", port: 80 }]);
		expect(ids(pipeline)).toEqual(["10.0.0.2:80"]);
		await vi.advanceTimersByTimeAsync(0);
		expect(listeners.asked).toEqual(["10.0.0.3:80"]);
		pipeline.close();
	});

	test("is in, too, where a proxy has it and its address is known only later", async () => {
		const { pipeline, listeners, changes, has, presence } = setupGated({ adopt: false });
		presence.set("10.0.0.2:80", "listening");
		has("4196");
		pipeline.onRead(read([a], 20));
		pipeline.adopt([{ service: "web", address: "10.0.0.2", port: 80 }]);
		has("4196", "10.0.0.2");
		await vi.advanceTimersByTimeAsync(1000);
		expect(pipeline.listeners()).toMatchObject([{ verdict: { state: "in" } }]);
		expect(pipeline.backend(refOf(2))?.endpoint).toBe(pipeline.listeners()[0]?.endpoint.key);
		expect(changes.some(({ removal }) => removal)).toBe(false);
		pipeline.onEvents([close(a, 30), listen(listenerOf(2, 31))]);
		expect(ids(pipeline)).toEqual([]);
		expect(listeners.asked).toEqual(["10.0.0.2:80"]);
		pipeline.close();
	});

	test("stays in, and is not asked, where its service had no gate when it joined", async () => {
		const listeners = createListeners();
		const { pipeline, has } = setup(web({ port: 80 }), [], listeners.probe);
		has("4196", "10.0.0.2");
		pipeline.onRead(read([a], 20));
		pipeline.adopt([]);
		pipeline.reconfigure(gated());
		await vi.advanceTimersByTimeAsync(1000);
		expect(ids(pipeline)).toEqual(["10.0.0.2:80"]);
		expect(listeners.asked).toEqual([]);
	});
});
