import { describe, expect, test } from "vitest";
import { configSchema } from "../../src/config/schema.js";
import type { Container } from "../../src/identity/container.js";
import type { Resolved, Resolver } from "../../src/identity/resolver.js";
import { type Routes, UNKNOWN_ROUTES } from "../../src/identity/routes.js";
import { createJudged } from "../../src/judged.js";
import { endpointKey, netnsKey } from "../../src/listeners/ids.js";
import type { Endpoint } from "../../src/listeners/table.js";
import { listenerOf } from "./listeners/listener.js";

const config = configSchema.parse({
	services: {
		web: { match: { port: 80 } },
		php: { match: { port: 80 }, stopSignals: ["SIGQUIT"] },
		db: { match: { port: 80 }, stopSignals: [] },
	},
});

const endpointOf = (change: Partial<Endpoint> = {}): Endpoint => ({
	key: endpointKey(netnsKey("7"), "0.0.0.0", 80),
	netns: netnsKey("7"),
	address: "0.0.0.0",
	port: 80,
	sockets: [listenerOf(1, 10)],
	...change,
});

/** A resolver that knows nothing of routes, nor of other namespaces. */
const alone: Pick<Resolver, "routesOf" | "want" | "forget" | "disturbed"> = {
	routesOf: () => UNKNOWN_ROUTES,
	want: () => undefined,
	forget: () => undefined,
	disturbed: () => [],
};

const judgedOf = (ipv4: string[] = ["10.0.0.2"]) =>
	createJudged(
		config,
		{
			resolve: ({ comm, hostname, netnsInode }) => ({
				identity: { comm, hostname, netnsInode },
				addresses: { state: "known", ipv4, ipv6: [] },
				isHost: false,
			}),
			...alone,
		},
		(atNs) => atNs / 1e6 + 1000,
	);

test("a stop signal counts for the services that name it, at its time in the clock of the pools", () => {
	const { claims } = judgedOf().look(endpointOf({ stopping: new Map([[15, 5e6]]) }));
	expect(claims.map(({ backend, told }) => [backend.service, told])).toEqual([
		["web", { signal: "SIGTERM", atNs: 5e6, atMs: 1005 }],
		["php", undefined],
		["db", undefined],
	]);
	const quit = judgedOf().look(endpointOf({ stopping: new Map([[3, 5e6]]) }));
	expect(quit.claims.map(({ told }) => told?.signal)).toEqual([undefined, "SIGQUIT", undefined]);
});

test("another look comes to the very same as long as nothing is new, and to something else as soon as something is", () => {
	let resolved: Resolved = {
		identity: { comm: "nginx", hostname: "a", netnsInode: 7 },
		addresses: { state: "known", ipv4: ["10.0.0.2"], ipv6: [] },
		isHost: false,
	};
	const resolve = () => ({ ...resolved, identity: { ...resolved.identity } });
	const judged = createJudged(config, { resolve, ...alone }, Number);
	const endpoint = endpointOf();
	const first = judged.look(endpoint);
	expect(judged.look(endpoint)).toBe(first);

	const told = judged.look({ ...endpoint, stopping: new Map([[15, 5e6]]) });
	expect(told.claims[0]?.told?.signal).toBe("SIGTERM");
	resolved = { ...resolved, addresses: { state: "known", ipv4: ["10.0.0.3"], ipv6: [] } };
	expect(judged.look(endpoint).claims[0]?.backend.id).toBe("10.0.0.3:80");
	resolved = { ...resolved, identity: { ...resolved.identity, netnsName: "web" } };
	expect(judged.look(endpoint).claims[0]?.backend.identity.netnsName).toBe("web");
	judged.reconfigure(configSchema.parse({ services: { web: { match: { port: 81 } } } }));
	expect(judged.look(endpoint).claims).toEqual([]);
});

test("the verdict covers an address where a connection would reach the listener", () => {
	const judged = judgedOf();
	judged.look(endpointOf());
	expect(judged.hasAt({ address: "10.0.0.2", port: 80, netns: "host" })).toBe(true);
	expect(judged.hasAt({ address: "10.0.0.2", port: 81, netns: "host" })).toBe(false);
	expect(judged.hasAt({ address: "10.0.0.3", port: 80, netns: "host" })).toBe(false);
	judged.forget(endpointOf().key);
	expect(judged.hasAt({ address: "10.0.0.2", port: 80, netns: "host" })).toBe(false);
});

test("a listener whose address is not known yet says nothing of any address", () => {
	const judged = judgedOf([]);
	judged.look(endpointOf());
	expect(judged.hasAt({ address: "0.0.0.0", port: 80, netns: "host" })).toBe(false);
});

const CONTAINER = "c".repeat(64);
const containerOf = (change: Partial<Container> = {}): Container => ({
	id: CONTAINER,
	name: "web",
	image: "app",
	labels: new Map(),
	env: undefined,
	exposed: [],
	published: [{ port: 80, hostAddress: "0.0.0.0", hostPort: 8080 }],
	stopSignal: undefined,
	...change,
});

/** Judges what resolves to this, with what a test says of routes. */
function judgedAs(resolved: Partial<Resolved>, more: Partial<typeof alone> = {}) {
	const identity = { comm: "nginx", hostname: "a", netnsInode: 7, container: CONTAINER };
	const state: { now: Resolved } = {
		now: { identity, addresses: { state: "known", ipv4: ["10.0.2.100"], ipv6: [] }, isHost: false, ...resolved },
	};
	return { state, judged: createJudged(config, { resolve: () => state.now, ...alone, ...more }, Number) };
}
const byDefault: Routes = { reach: () => "default" };

test("other routes, another owner of an address, or news of the container come to something else; the same again does not", () => {
	let routes: Routes = UNKNOWN_ROUTES;
	const { state, judged } = judgedAs({}, { routesOf: () => routes });
	const endpoint = endpointOf();
	const ids = () => judged.look(endpoint).claims.map(({ backend }) => backend.id);
	expect(ids()[0]).toBe("10.0.2.100:80");
	const before = judged.look(endpoint);
	expect(judged.look(endpoint)).toBe(before);
	routes = byDefault;
	expect(ids()).toEqual([]);
	const container = containerOf();
	state.now = { ...state.now, container: { state: "known", container } };
	expect(ids()[0]).toBe("127.0.0.1:8080");
	const known = judged.look(endpoint);
	state.now = { ...state.now, container: { state: "known", container } };
	expect(judged.look(endpoint)).toBe(known);
	state.now = { ...state.now, container: { state: "known", container: containerOf({ published: [] }) } };
	expect(ids()).toEqual([]);
	routes = UNKNOWN_ROUTES;
	expect(ids()[0]).toBe("10.0.2.100:80");
	state.now = { ...state.now, shared: ["10.0.2.100"] };
	expect(ids()).toEqual([]);
});

test("a look at what its processes were told does not hide that the routes are others by now", () => {
	let routes: Routes = UNKNOWN_ROUTES;
	const { judged } = judgedAs({}, { routesOf: () => routes });
	const [endpoint, other] = [endpointOf(), endpointOf({ key: endpointKey(netnsKey("7"), "0.0.0.0", 81), port: 81 })];
	judged.look(endpoint);
	routes = byDefault;
	judged.look(other);
	judged.lookAtSignals({ ...endpoint, stopping: new Map([[15, 5e6]]) });
	expect(judged.look(endpoint).claims).toEqual([]);
});

test("a container stands for all that listens in its namespace, until they are forgotten, and the namespace with the last", () => {
	const forgotten: string[] = [];
	const judged = createJudged(
		config,
		{
			resolve: ({ comm, hostname, netnsInode }) => ({
				identity: { comm, hostname, netnsInode, ...(comm === "nginx" && { container: CONTAINER }) },
				addresses: { state: "known", ipv4: ["10.0.0.2"], ipv6: [] },
				isHost: false,
			}),
			...alone,
			forget: (netns) => void forgotten.push(netns),
			disturbed: () => [netnsKey("8"), netnsKey("9")],
		},
		Number,
	);
	const at = (netns: string, port: number, comm: string): Endpoint => ({
		...endpointOf({ netns: netnsKey(netns), port, key: endpointKey(netnsKey(netns), "0.0.0.0", port) }),
		sockets: [listenerOf(port, 10, { comm })],
	});
	const [own, beside, elsewhere] = [at("7", 80, "nginx"), at("7", 81, "sidecar"), at("8", 82, "other")];
	for (const one of [own, beside, elsewhere]) judged.look(one);
	expect(judged.besides([CONTAINER, "unknown"])).toEqual([own, beside]);
	expect(judged.besides([])).toEqual([]);
	expect(judged.disturbed()).toEqual([elsewhere]);
	judged.forget(own.key);
	judged.forget(own.key);
	expect([judged.besides([CONTAINER]), forgotten]).toEqual([[], []]);
	judged.forget(beside.key);
	expect(forgotten).toEqual([netnsKey("7")]);
});

describe("the verdict on a listener", () => {
	const onHost = (port: number) => ({ address: "127.0.0.1", port, netns: "host" });
	const proxyOnHost = { comm: "docker-proxy", hostname: "edge", netnsInode: 1 };
	const passesOn = endpointOf({ key: endpointKey(netnsKey("1"), "0.0.0.0", 8080), netns: netnsKey("1"), port: 8080 });

	test("covers its published port, too, as seen from the host", () => {
		const { judged } = judgedAs(
			{ container: { state: "known", container: containerOf() } },
			{ routesOf: () => byDefault },
		);
		judged.look(endpointOf());
		expect(judged.hasAt(onHost(8080))).toBe(true);
		expect(judged.hasAt({ ...onHost(8080), netns: "edge" })).toBe(false);
	});

	test("covers the address that an IPv4-mapped one means", () => {
		const { judged } = judgedAs({});
		judged.look(endpointOf({ address: "::ffff:10.0.0.7" }));
		expect(judged.hasAt({ address: "10.0.0.7", port: 80, netns: "host" })).toBe(true);
		expect(judged.hasAt({ address: "10.0.2.100", port: 80, netns: "host" })).toBe(false);
	});

	test("that passes on for containers covers its port only once all containers are known", () => {
		const { state, judged } = judgedAs({ identity: proxyOnHost, isHost: true });
		judged.look(passesOn);
		expect(judged.hasAt(onHost(8080))).toBe(true);
		state.now = { ...state.now, isHost: false, container: { state: "waiting", why: "the engine does not answer" } };
		judged.look(endpointOf());
		expect(judged.hasAt(onHost(8080))).toBe(false);
		judged.forget(endpointOf().key);
		expect(judged.hasAt(onHost(8080))).toBe(true);
	});
});

test("a claim has with it what its service asks, by the service's first name that stands for one", () => {
	const judged = judgedOf();
	judged.reconfigure(
		configSchema.parse({
			services: {
				web: { match: { port: 80 }, hosts: ["*.example.org", "www.example.org"], ready: { http: "/healthz" } },
				api: { match: { port: 80 }, ready: { tcp: true } },
				db: { match: { port: 80 } },
			},
		}),
	);
	const { claims } = judged.look(endpointOf());
	expect(claims.map(({ backend, asks }) => [backend.service, asks?.host, asks?.ready.http])).toEqual([
		["web", "www.example.org", "/healthz"],
		["api", "10.0.0.2:80", undefined],
		["db", undefined, undefined],
	]);
});
