import { expect, test } from "vitest";
import { configSchema } from "../../src/config/schema.js";
import type { Resolved } from "../../src/identity/resolver.js";
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

const judgedOf = (ipv4: string[] = ["10.0.0.2"]) =>
	createJudged(
		config,
		{
			resolve: ({ comm, hostname, netnsInode }) => ({
				identity: { comm, hostname, netnsInode },
				addresses: { state: "known", ipv4, ipv6: [] },
				isHost: false,
			}),
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
	const judged = createJudged(config, { resolve: () => ({ ...resolved, identity: { ...resolved.identity } }) }, Number);
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
