/** The pipeline among other hosts: what it tells them, and what it takes from them. */

import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { backendId } from "../../src/backends/backend.js";
import { configSchema } from "../../src/config/schema.js";
import type { Offer, OfferChange, OfferKey } from "../../src/fleet/offer.js";
import type { HostChange, HostInfo } from "../../src/fleet/registry.js";
import type { Addresses } from "../../src/identity/identity.js";
import type { Presence } from "../../src/identity/presence.js";
import { UNKNOWN_ROUTES } from "../../src/identity/routes.js";
import type { Listener } from "../../src/listeners/event.js";
import { createPipeline, type Pipeline } from "../../src/pipeline.js";
import type { Remembered } from "../../src/state.js";
import { close, listen, listenerOf, stop } from "./listeners/listener.js";

beforeEach(() => {
	vi.useFakeTimers();
});
afterEach(() => {
	vi.useRealTimers();
});

const b: HostInfo = { host: "b", version: "1", lease: 10_000, draining: false, services: [] };
const offer = (address: string, rest: Partial<Offer> = {}): Offer => ({
	service: "web",
	address,
	port: 80,
	weight: 100,
	identity: { comm: "nginx", hostname: "web", netnsInode: 0 },
	...rest,
});
const whole = (host: HostInfo, ...offers: Offer[]): HostChange => ({
	kind: "whole",
	host,
	offers: new Map(offers.map((one) => [`${one.service}|${one.address}:${one.port}`, one])),
});
const over: HostChange = { kind: "over", host: "b", said: false, why: "the lease of host b ended" };
const FLEET = { redis: "redis://10.0.0.9:6379", advertise: ["10.0.0.0/16"] };

function setup({ fleet = {}, service = {} }: { fleet?: object; service?: object } = {}) {
	const config = configSchema.parse({
		host: "a",
		services: { web: { match: { port: 80 }, lastGrace: "0s", ...service } },
		fleet: { ...FLEET, ...fleet },
	});
	const addresses = new Map<string, Addresses>();
	const presence = new Map<string, Presence>();
	/** As somebody knows it who follows. */
	const told = new Map<OfferKey, Offer>();
	const said: OfferChange[] = [];
	const kept: Remembered[] = [];
	let asked = 0;
	const pipeline = createPipeline({
		config,
		resolver: {
			resolve: ({ netns, netnsInode, comm, hostname }: Listener) => ({
				identity: { comm, hostname, netnsInode },
				addresses: addresses.get(netns) ?? { state: "known", ipv4: ["10.0.0.2"], ipv6: [] },
				isHost: false,
			}),
			expire: () => undefined,
			routesOf: () => UNKNOWN_ROUTES,
			want: () => undefined,
			forget: () => undefined,
			disturbed: () => [],
		},
		presenceOf: ({ address, port }) => presence.get(`${address}:${port}`) ?? "elsewhere",
		log: pino({ enabled: false }),
		now: () => performance.now(),
		bootTimeNs: () => performance.now() * 1e6,
		onChange: () => undefined,
		requestRead: () => undefined,
		requestRemote: () => void asked++,
		onRemember: (remembered) => kept.push(remembered),
		onOffer(changes) {
			said.push(...changes);
			for (const change of changes) {
				if (change.kind === "put") told.set(change.key, change.offer);
				else told.delete(change.key);
			}
		},
	});
	return { pipeline, addresses, presence, told, said, kept, asked: () => asked };
}

const read = (rows: readonly Listener[] = [], beganNs = 5) => ({ beganNs, complete: true, rows });
const ids = (pipeline: Pipeline) => pipeline.desired()?.flatMap(({ backends }) => backends.map(({ id }) => id));
const web = listenerOf(1, 10);
const ref = { service: "web", id: backendId("10.0.0.2", 80) };

describe("others are told", () => {
	test("of a listener that is in a service, with what is said of it, until it closes", () => {
		const { pipeline, told, said } = setup();
		pipeline.onRead(read());
		pipeline.onEvents([listen(web)]);
		expect([...told]).toMatchObject([["web|10.0.0.2:80", { weight: 100, identity: { comm: web.comm } }]]);
		pipeline.onEvents([stop(20)]);
		expect([...told.values()]).toMatchObject([{ told: { signal: "SIGTERM", atNs: 20 } }]);
		pipeline.hold(ref, "down");
		expect([...told.values()]).toMatchObject([{ held: "down" }]);
		pipeline.release(ref);
		expect(told.get("web|10.0.0.2:80")).not.toHaveProperty("held");
		pipeline.onEvents([close(web, 30)]);
		expect(said.at(-1)).toEqual({ kind: "take", key: "web|10.0.0.2:80", why: "closed" });
	});

	test("of nothing that others do not reach, and it is said why", () => {
		const { pipeline, addresses, told } = setup();
		addresses.set(web.netns, { state: "known", ipv4: ["172.17.0.2"], ipv6: [] });
		pipeline.onRead(read([web], 20));
		expect(ids(pipeline)).toEqual(["172.17.0.2:80"]);
		expect(told.size).toBe(0);
		expect(pipeline.listeners()).toMatchObject([
			{ verdict: { state: "in" }, elsewhere: { why: expect.stringContaining("not routable from other hosts: ") } },
		]);
	});

	test("of nothing that a proxy has and that nobody listens for", () => {
		const { pipeline, told } = setup();
		pipeline.onRead(read());
		pipeline.adopt([{ service: "web", address: "10.0.0.7", port: 80 }]);
		expect(ids(pipeline)).toEqual(["10.0.0.7:80"]);
		expect(told.size).toBe(0);
	});

	test("that it is withdrawn where the rules no longer want it, and of nothing where the configuration says so", () => {
		const { pipeline, said } = setup();
		pipeline.onRead(read([web], 20));
		pipeline.reconfigure(configSchema.parse({ services: { web: { match: { port: 81 } } }, fleet: FLEET }));
		expect(said.at(-1)).toEqual({ kind: "take", key: "web|10.0.0.2:80", why: "withdrawn" });
		const silent = setup({ fleet: { publish: false } });
		silent.pipeline.onRead(read([web], 20));
		expect(silent.said).toEqual([]);
	});

	test("of a place again where fleet.advertise is another one", () => {
		const { pipeline, addresses, told } = setup();
		addresses.set(web.netns, { state: "known", ipv4: ["10.0.0.2", "10.9.0.2"], ipv6: [] });
		pipeline.onRead(read([web], 20));
		expect([...told.keys()]).toEqual(["web|10.0.0.2:80"]);
		const services = { web: { match: { port: 80 } } };
		pipeline.reconfigure(configSchema.parse({ services, fleet: { ...FLEET, advertise: ["10.9.0.0/16"] } }));
		expect([...told.keys()]).toEqual(["web|10.9.0.2:80"]);
		expect(pipeline.offers()).toMatchObject([{ kind: "put", key: "web|10.9.0.2:80" }]);
	});
});

describe("backends of other hosts", () => {
	test("join and leave, also while the sensor is down", () => {
		const { pipeline } = setup();
		pipeline.onRead(read());
		pipeline.onSensor({ state: "down" });
		pipeline.onRemote([whole(b, offer("10.0.1.1"), offer("10.0.1.2"))]);
		expect(ids(pipeline)).toEqual(["10.0.1.1:80", "10.0.1.2:80"]);
		pipeline.onRemote([{ kind: "delta", host: b, put: new Map(), taken: new Map([["web|10.0.1.1:80", "closed"]]) }]);
		expect(ids(pipeline)).toEqual(["10.0.1.2:80"]);
	});

	test("that would leave by the end of leases are too many at once, and go when the registry says it again", () => {
		const { pipeline } = setup();
		pipeline.onRead(read());
		const all = ["10.0.1.1", "10.0.1.2", "10.0.1.3"].map((address) => offer(address));
		pipeline.onRemote([whole(b, ...all)]);
		vi.advanceTimersByTime(100);
		const beganMs = performance.now() - 1;
		pipeline.onRemote([over]);
		pipeline.onRemoteComplete(beganMs);
		pipeline.onRead(read([], performance.now() * 1e6 + 1e9));
		expect(ids(pipeline)).toHaveLength(3);
		expect(pipeline.status()[0]?.backends[0]?.reason).toBe(
			"waits for the registry to confirm: the lease of host b ended",
		);
		vi.advanceTimersByTime(100);
		pipeline.onRemoteComplete(performance.now() - 1);
		expect(ids(pipeline)).toEqual([]);
	});

	test("stay where they are back before it is confirmed", () => {
		const { pipeline } = setup();
		pipeline.onRead(read());
		const all = ["10.0.1.1", "10.0.1.2", "10.0.1.3"].map((address) => offer(address));
		pipeline.onRemote([whole(b, ...all)]);
		pipeline.onRemote([over]);
		pipeline.onRemote([whole(b, ...all)]);
		vi.advanceTimersByTime(100);
		pipeline.onRemoteComplete(performance.now());
		expect(ids(pipeline)).toHaveLength(3);
	});

	describe("that a second host claims", () => {
		const all = ["10.0.1.1", "10.0.1.2", "10.0.1.3"].map((address) => offer(address));
		const c = { ...b, host: "c" };
		const contested = () => {
			const made = setup();
			made.pipeline.onRead(read());
			made.pipeline.onRemote([whole(b, ...all)]);
			made.pipeline.onRemote([whole(c, ...all)]);
			return made;
		};
		const complete = (pipeline: Pipeline) => {
			vi.advanceTimersByTime(100);
			pipeline.onRemoteComplete(performance.now() - 1);
		};

		test("stay while they are too many, and go when the registry says it again, as it was asked", () => {
			const { pipeline, asked } = contested();
			expect(ids(pipeline)).toHaveLength(3);
			expect(asked()).toBe(1);
			expect(pipeline.status()[0]?.backends[0]?.reason).toBe(
				"waits for the registry to confirm: host c claims 10.0.1.1:80, too, and nobody knows who answers there",
			);
			complete(pipeline);
			expect(ids(pipeline)).toEqual([]);
		});

		test("stay for good where the second one takes it back", () => {
			const { pipeline } = contested();
			pipeline.onRemote([whole(c)]);
			complete(pipeline);
			expect(ids(pipeline)).toHaveLength(3);
		});

		test("go at once where their own host says so, or the second one's where the first is gone", () => {
			const { pipeline } = contested();
			pipeline.onRemote([{ kind: "delta", host: b, put: new Map(), taken: new Map([["web|10.0.1.1:80", "closed"]]) }]);
			expect(pipeline.backend({ service: "web", id: backendId("10.0.1.1", 80) })).toMatchObject({ host: "c" });
			pipeline.onRemote([whole(c)]);
			expect(ids(pipeline)).toEqual(["10.0.1.2:80", "10.0.1.3:80"]);
			pipeline.onRemote([{ ...over, said: true }]);
			expect(ids(pipeline)).toEqual([]);
		});
	});

	test("that their own host offers no more go at once, however many, and so do those over fleet.maxPerHost", () => {
		const { pipeline, asked } = setup();
		const all = ["10.0.1.1", "10.0.1.2", "10.0.1.3", "10.0.1.4"].map((address) => offer(address));
		pipeline.onRead(read());
		pipeline.onRemote([whole(b, ...all)]);
		const services = { web: { match: { port: 80 }, lastGrace: "0s" } };
		pipeline.reconfigure(configSchema.parse({ services, fleet: { ...FLEET, maxPerHost: 1 } }));
		expect(ids(pipeline)).toEqual(["10.0.1.1:80"]);
		pipeline.reconfigure(configSchema.parse({ services, fleet: FLEET }));
		expect(ids(pipeline)).toHaveLength(4);
		const taken = new Map(all.map(({ address }) => [`web|${address}:80`, "withdrawn" as const]));
		pipeline.onRemote([{ kind: "delta", host: b, put: new Map(), taken }]);
		expect(ids(pipeline)).toEqual([]);
		expect(asked()).toBe(0);
	});

	test("give way to one of this host at the same place, in whatever service, and are back when that is gone", () => {
		const { pipeline } = setup();
		pipeline.onRead(read());
		pipeline.onRemote([whole(b, offer("10.0.0.2", { weight: 7 }))]);
		expect(pipeline.backend(ref)).toMatchObject({ weight: 7, local: false, host: "b" });
		pipeline.onEvents([listen(web)]);
		expect(pipeline.backend(ref)).toMatchObject({ weight: 100, local: true, host: "a", state: "ready" });
		pipeline.onEvents([close(web, 20)]);
		expect(pipeline.backend(ref)).toMatchObject({ weight: 7, local: false });
	});

	test("of a service that there is only later join then", () => {
		const { pipeline } = setup();
		pipeline.onRead(read());
		pipeline.onRemote([whole(b, offer("10.0.1.1", { service: "api" }))]);
		expect(ids(pipeline)).toEqual([]);
		pipeline.reconfigure(configSchema.parse({ services: { api: { match: { port: 81 } } }, fleet: FLEET }));
		expect(ids(pipeline)).toEqual(["10.0.1.1:80"]);
	});

	test("are held as their own host says, unless it is said otherwise here", () => {
		const { pipeline } = setup();
		pipeline.onRead(read());
		pipeline.onRemote([whole(b, offer("10.0.0.2", { held: "drain" }), offer("10.0.1.1"))]);
		expect(pipeline.backend(ref)).toMatchObject({ state: "drain", held: true });
		expect(pipeline.status()[0]?.backends[0]?.reason).toBe("a person drained it on host b");
		pipeline.hold(ref, "down");
		expect(pipeline.backend(ref)).toMatchObject({ state: "down", held: true });
		expect(pipeline.status()[0]?.backends[0]?.reason).toBe("a person took it out");
	});

	test("drain while their host says goodbye, whatever the share, but the last one", () => {
		const { pipeline } = setup();
		pipeline.onRead(read([web], 20));
		const leaving = { ...b, draining: true };
		pipeline.onRemote([whole(leaving, offer("10.0.1.1"), offer("10.0.1.2"), offer("10.0.1.3"))]);
		const states = () => pipeline.desired()?.flatMap(({ backends }) => backends.map(({ state }) => state));
		expect(states()).toEqual(["ready", "drain", "drain", "drain"]);
		expect(pipeline.status()[0]?.backends[1]?.reason).toBe("host b says goodbye");
		vi.advanceTimersByTime(600_000);
		expect(states()).toEqual(["ready", "drain", "drain", "drain"]);
		pipeline.onEvents([close(web, 30)]);
		expect(states()?.filter((state) => state === "ready")).toHaveLength(1);
	});

	test("that are refused are shown with the reason", () => {
		const { pipeline } = setup();
		pipeline.onRead(read());
		pipeline.onRemote([whole(b, offer("10.0.1.1")), whole({ ...b, host: "c" }, offer("10.0.1.1"))]);
		expect(ids(pipeline)).toEqual([]);
		expect(pipeline.status()[0]?.backends).toMatchObject([
			{ id: "10.0.1.1:80", state: "out", host: "b", reason: expect.stringContaining("host c claims 10.0.1.1:80, too") },
			{ id: "10.0.1.1:80", state: "out", host: "c", reason: expect.stringContaining("host b claims 10.0.1.1:80, too") },
		]);
	});

	test("of a service by label make that service, which stays while its host is gone", () => {
		const { pipeline, kept } = setup();
		pipeline.onRead(read());
		const shop = { name: "shop", mode: "http", hosts: ["shop.example.org"], drainTimeout: 5000 } as const;
		pipeline.onRemote([whole({ ...b, services: [shop] }, offer("10.0.1.1", { service: "shop" }))]);
		expect(pipeline.desired()?.map(({ name, hosts, backends }) => [name, hosts, backends.length])).toEqual([
			["shop", ["shop.example.org"], 1],
			["web", [], 0],
		]);
		expect(kept.at(-1)).toMatchObject({ services: [], remote: [shop] });
		expect(pipeline.forget("shop")).toBe("host b declares shop (forget it there)");
		pipeline.onRemote([{ ...over, said: true }]);
		vi.advanceTimersByTime(5000);
		expect(pipeline.desired()?.map(({ name, backends }) => [name, backends.length])).toEqual([
			["shop", 0],
			["web", 0],
		]);
		pipeline.forgetRemote();
		expect(pipeline.desired()?.map(({ name }) => name)).toEqual(["web"]);
	});

	test("go when there are no others any more", () => {
		const { pipeline } = setup();
		pipeline.onRead(read());
		pipeline.onRemote([whole(b, offer("10.0.1.1"))]);
		pipeline.forgetRemote();
		expect(ids(pipeline)).toEqual([]);
	});
});

describe("what a proxy has of other hosts from an earlier run", () => {
	const adopted = { service: "web", address: "10.0.1.1", port: 80 };

	test("stays until the registry was heard, and each host had time to tell again", () => {
		const { pipeline } = setup();
		pipeline.onRead(read());
		pipeline.adopt([adopted]);
		vi.advanceTimersByTime(600_000);
		expect(ids(pipeline)).toEqual(["10.0.1.1:80"]);
		pipeline.onRemoteComplete(performance.now());
		vi.advanceTimersByTime(9000);
		expect(ids(pipeline)).toEqual(["10.0.1.1:80"]);
		vi.advanceTimersByTime(1001);
		expect(ids(pipeline)).toEqual([]);
		pipeline.close();
		expect(vi.getTimerCount()).toBe(0);
	});

	test("is taken over by the host that offers it", () => {
		const { pipeline } = setup();
		pipeline.onRead(read());
		pipeline.adopt([adopted]);
		pipeline.onRemote([whole(b, offer("10.0.1.1", { weight: 7 }))]);
		expect(pipeline.backend({ service: "web", id: backendId("10.0.1.1", 80) })).toMatchObject({ weight: 7, host: "b" });
	});

	test.each([
		["where an address of this host is closed", {}, "closed"],
		["where others are not listened to", { fleet: { subscribe: false } }, "elsewhere"],
	] as const)("goes at once %s", (_, options, is) => {
		const { pipeline, presence } = setup(options);
		presence.set("10.0.1.1:80", is);
		pipeline.onRead(read());
		pipeline.adopt([adopted]);
		expect(ids(pipeline)).toEqual([]);
	});
});
