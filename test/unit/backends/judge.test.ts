import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createJudge } from "../../../src/backends/judge.js";
import { parseConfig } from "../../../src/config/load.js";
import type { Resolved } from "../../../src/identity/resolver.js";
import { UNKNOWN_ROUTES } from "../../../src/identity/routes.js";
import { endpointKey, netnsKey } from "../../../src/listeners/ids.js";
import type { Endpoint } from "../../../src/listeners/table.js";
import { listenerOf } from "../listeners/listener.js";

/** Three namespaces: the host's, that of a proxy, and another. */
const NETNS = {
	host: { inode: 4026531833, address: "10.0.0.1" },
	edge: { inode: 4026532177, address: "10.0.0.2" },
	blue: { inode: 4026532200, address: "10.0.0.3" },
} as const;

type Netns = keyof typeof NETNS;

interface Listening {
	readonly netns: Netns;
	readonly bound?: string;
	readonly port?: number;
	readonly comm?: string;
	/** False: no process tells the addresses of the namespace. */
	readonly known?: boolean;
}

/** Judges a listener by a configuration: where each service reaches it, or the verdict's reason. */
function judge(config: object, { netns, bound = "0.0.0.0", port = 80, comm = "app", known = true }: Listening) {
	const loaded = parseConfig(JSON.stringify(config), "test.yaml");
	if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
	const { inode, address } = NETNS[netns];
	const key = netnsKey(String(inode));
	const endpoint: Endpoint = {
		key: endpointKey(key, bound, port),
		netns: key,
		address: bound,
		port,
		sockets: [listenerOf(1, 10, { address: bound, port, comm, netns: key, netnsInode: inode })],
	};
	const resolved: Resolved = {
		identity: { comm, hostname: netns, netnsName: netns, netnsInode: inode },
		addresses: known ? { state: "known", ipv4: [address], ipv6: [] } : { state: "unknown", why: "nobody tells" },
		isHost: netns === "host",
	};
	const { verdict, backends } = createJudge(loaded.config)(endpoint, resolved, { routesOf: () => UNKNOWN_ROUTES });
	const places = Object.fromEntries(backends.map(({ service, address: at }) => [service, at]));
	if (verdict.state !== "in") return { state: verdict.state, why: verdict.why, places };
	expect(verdict.places).toEqual(backends.map(({ service, id }) => ({ service, backend: id })));
	return { state: verdict.state, places };
}

const proxyIn = (netns: string | number | undefined, more: object = {}) => ({
	name: `proxy-${netns}`,
	type: "haproxy",
	output: `/run/${netns}.cfg`,
	masterSocket: "/run/master.sock",
	...(netns !== undefined && { netns }),
	...more,
});

const ANY = { match: { netns: ["host", "edge", "blue"] } };
const seenFrom = (netns: string | number) => ({ services: { web: ANY }, proxies: [proxyIn(netns)] });

describe("a service is seen from where its proxy runs", () => {
	test.each([
		["host", "host", "0.0.0.0", "127.0.0.1"],
		["host", "host", "127.0.0.1", "127.0.0.1"],
		["host", "edge", "0.0.0.0", "10.0.0.2"],
		["edge", "edge", "0.0.0.0", "127.0.0.1"],
		["edge", "edge", "127.0.0.5", "127.0.0.5"],
		["edge", "blue", "0.0.0.0", "10.0.0.3"],
		["edge", "host", "0.0.0.0", "10.0.0.1"],
		["edge", "host", "10.0.0.1", "10.0.0.1"],
	] as const)("from %s a listener of %s at %s is reached at %s", (from, netns, bound, address) => {
		expect(judge(seenFrom(from), { netns, bound })).toEqual({ state: "in", places: { web: address } });
		expect(judge(seenFrom(NETNS[from].inode), { netns, bound })).toEqual({ state: "in", places: { web: address } });
	});

	test.each([
		["edge", "host"],
		["edge", "blue"],
		["host", "edge"],
		["a-name-that-nobody-has", "edge"],
	] as const)("from %s the loopback of %s is not reached", (from, netns) => {
		expect(judge(seenFrom(from), { netns, bound: "127.0.0.1" })).toEqual({
			state: "out",
			why: "web: it is bound to 127.0.0.1, which only its own network namespace reaches",
			places: {},
		});
	});

	test("and from the host when no proxy serves it", () => {
		const config = { services: { web: ANY, other: { match: { port: 1 } } }, proxies: [] };
		expect(judge(config, { netns: "host" })).toEqual({ state: "in", places: { web: "127.0.0.1" } });
		const others = { ...config, proxies: [proxyIn("edge", { services: ["other"] })] };
		expect(judge(others, { netns: "host" })).toEqual({ state: "in", places: { web: "127.0.0.1" } });
	});

	test("each from its own, for one and the same listener", () => {
		const proxies = [proxyIn("edge", { services: ["near"] }), proxyIn("host", { services: ["far"] })];
		const config = { services: { near: ANY, far: ANY }, proxies };
		expect(judge(config, { netns: "edge" })).toEqual({
			state: "in",
			places: { near: "127.0.0.1", far: "10.0.0.2" },
		});
		expect(judge(config, { netns: "edge", bound: "127.0.0.1" })).toEqual({
			state: "in",
			places: { near: "127.0.0.1" },
		});
		expect(judge(config, { netns: "edge", known: false })).toEqual({
			state: "pending",
			why: "far: its addresses are not known: nobody tells",
			places: { near: "127.0.0.1" },
		});
	});

	test("a proxy elsewhere does not get the host's listeners unless they are asked for", () => {
		const config = { services: { web: { match: { port: 80 } } }, proxies: [proxyIn("edge")] };
		expect(judge(config, { netns: "host" })).toMatchObject({
			state: "out",
			why: expect.stringContaining(`only a service with "netns: host" takes it`),
		});
		expect(judge(config, { netns: "edge" })).toEqual({ state: "in", places: { web: "127.0.0.1" } });
	});

	test("loopback is given for a listener of that very namespace alone", () => {
		const netns = fc.constantFrom<Netns>("host", "edge", "blue");
		const bound = fc.constantFrom("0.0.0.0", "127.0.0.1", "10.9.9.9");
		fc.assert(
			fc.property(netns, fc.boolean(), netns, bound, (from, byName, at, address) => {
				const { state, places } = judge(seenFrom(byName ? from : NETNS[from].inode), { netns: at, bound: address });
				const reached = places["web"];
				expect(state).toBe(reached === undefined ? "out" : "in");
				if (from === at) expect(reached).toBe(address === "0.0.0.0" ? "127.0.0.1" : address);
				else if (address === "0.0.0.0") expect(reached).toBe(NETNS[at].address);
				else expect(reached).toBe(address === "127.0.0.1" ? undefined : address);
			}),
		);
	});
});

describe("a proxy's own listener", () => {
	const elsewhere = { services: ["other"] };
	const configOf = (...proxies: object[]) => ({ services: { web: ANY, other: { match: { port: 1 } } }, proxies });
	const refused = (comm: string, where: string) => ({
		state: "out",
		why: expect.stringContaining(`web: ${comm} ${where} is a proxy itself (a service that means it names it as comm)`),
		places: {},
	});

	test.each([
		["edge", "in netns edge"],
		[NETNS.edge.inode, `in netns ${NETNS.edge.inode}`],
	])("in netns %s is no application, whichever service the proxy serves", (netns, where) => {
		const haproxy = configOf(proxyIn(netns, elsewhere));
		expect(judge(haproxy, { netns: "edge", comm: "haproxy" })).toEqual(refused("haproxy", where));
		expect(judge(haproxy, { netns: "edge", comm: "nginx" })).toMatchObject({ state: "in" });
		expect(judge(haproxy, { netns: "blue", comm: "haproxy" })).toMatchObject({ state: "in" });
		const nginx = configOf(proxyIn(netns, { ...elsewhere, type: "nginx", reload: ["true"] }));
		expect(judge(nginx, { netns: "edge", comm: "nginx" })).toEqual(refused("nginx", where));
		expect(judge(nginx, { netns: "edge", comm: "haproxy" })).toMatchObject({ state: "in" });
		expect(judge(nginx, { netns: "blue", comm: "nginx" })).toMatchObject({ state: "in" });
	});

	test("on the host is none either, and nginx only where it is the proxy", () => {
		const nginx = configOf(proxyIn(undefined, { type: "nginx", reload: ["true"] }));
		expect(judge(nginx, { netns: "host", comm: "nginx" })).toEqual(refused("nginx", "on the host"));
		expect(judge(nginx, { netns: "host", comm: "haproxy" })).toEqual(refused("haproxy", "on the host"));
		const haproxy = configOf(proxyIn("host"));
		expect(judge(haproxy, { netns: "host", comm: "nginx" })).toMatchObject({ state: "in" });
		expect(judge(haproxy, { netns: "host", comm: "docker-proxy" })).toEqual(refused("docker-proxy", "on the host"));
	});

	test("is one where the service names it", () => {
		const services = { web: { match: { comm: ["haproxy", "app"] } } };
		const config = { services, proxies: [proxyIn("edge")] };
		expect(judge(config, { netns: "edge", comm: "haproxy" })).toMatchObject({ state: "in" });
	});

	test("a file's reader has no program to go by", () => {
		const file = configOf(proxyIn("edge", { type: "file", template: "eds.hbs" }));
		expect(judge(file, { netns: "edge", comm: "file" })).toEqual({ state: "in", places: { web: "127.0.0.1" } });
	});
});

describe("a container whose address is not reached", () => {
	const container = {
		id: "f".repeat(64),
		name: "web",
		image: "app",
		labels: new Map(),
		env: undefined,
		exposed: [],
		published: [{ port: 80, hostAddress: "0.0.0.0", hostPort: 8080 }],
		stopSignal: undefined,
	};
	const judgeFrom = (netns: string) => {
		const loaded = parseConfig(JSON.stringify(seenFrom(netns)), "test.yaml");
		if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
		const key = netnsKey("7");
		const endpoint: Endpoint = {
			key: endpointKey(key, "0.0.0.0", 80),
			netns: key,
			address: "0.0.0.0",
			port: 80,
			sockets: [listenerOf(1, 10, { netns: key })],
		};
		const resolved: Resolved = {
			identity: { comm: "app", hostname: "web", netnsName: "blue", netnsInode: NETNS.blue.inode },
			addresses: { state: "known", ipv4: ["10.0.2.100"], ipv6: [] },
			isHost: false,
			container: { state: "known", container },
		};
		return createJudge(loaded.config)(endpoint, resolved, { routesOf: () => ({ reach: () => "default" }) });
	};

	test("is reached at its published port, from the host", () => {
		const { verdict, backends } = judgeFrom("host");
		expect(verdict).toEqual({ state: "in", places: [{ service: "web", backend: "127.0.0.1:8080" }] });
		expect(backends).toMatchObject([{ id: "127.0.0.1:8080", address: "127.0.0.1", port: 8080 }]);
	});

	test("is not reached so from elsewhere: the host's loopback is another one there", () => {
		expect(judgeFrom("edge").verdict).toMatchObject({ state: "pending", why: expect.stringContaining("10.0.2.100") });
	});
});
