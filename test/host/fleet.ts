/**
 * A fleet for a test: an edge with a real HAProxy, hosts beside it, and a real redis-server between them, each in a network
 * namespace of its own on one bridge, with a daemon of its own. An application on a host listens in the host's namespace.
 *
 * All of them share a kernel, and what a daemon here must not see is kept from it (own-host.mjs). Services name the namespace
 * that is their own by its number: that of the daemon is `host` to it where the machine's first process may not be looked
 * at, and else has a name.
 */

import { statSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { stringify } from "yaml";
import { type Application, type ApplicationOptions, startApplication } from "./application.js";
import { type Daemon, startDaemon } from "./daemon.js";
import { type Edge, type EdgeChanges, openEdge } from "./edge.js";
import { eventually } from "./eventually.js";
import { ip } from "./ip.js";
import type { Lifetime } from "./lifetime.js";
import type { ConnectedNetns, Netns } from "./netns.js";
import { type Server, serversOf } from "./operator.js";
import { type RedisOptions, type RedisServer, startRedis } from "./redis.js";
import { replaceFile } from "./replace-file.js";

export interface Fleet extends AsyncDisposable {
	readonly owned: Lifetime;
	/** Its HAProxy and its daemon are in one namespace. The daemon is not started yet. */
	readonly edge: Edge;
	readonly redis: RedisServer;
	/** Starts the edge's daemon; resolves when it is ready. */
	startEdge(): Promise<Daemon>;
	/** A host whose daemon is not started yet. */
	addHost(name: string): Promise<Host>;
	/** Where Redis is cut off from the others, or connected again. */
	readonly redisLine: Line;
	close(): Promise<void>;
}

export interface Host {
	readonly name: string;
	readonly netns: ConnectedNetns;
	/** The daemon's configuration, and its control socket. */
	readonly config: string;
	readonly socket: string;
	readonly line: Line;
	/** Where others reach a port of it. */
	at(port: number): string;
	/** Writes the configuration anew; the daemon sees it by itself. */
	configure(changes?: HostChanges): Promise<void>;
	/** Starts its daemon; resolves when it is ready. */
	start(): Promise<Daemon>;
	/** Starts an application there; resolves when it listens. */
	serve(port: number, options?: Partial<ApplicationOptions>): Promise<Application>;
}

export interface HostChanges {
	/** In place of that of the fleet. */
	readonly services?: object;
	/** Keys of `fleet:`. */
	readonly fleet?: object;
	readonly settings?: object;
}

/** The cable of a namespace. */
export interface Line {
	/** Nothing gets through any more, and nobody is told. */
	cut(): Promise<void>;
	mend(): Promise<void>;
}

export interface FleetOptions {
	/** Default: 1 s, the shortest. */
	readonly lease?: string;
	/** Keys of `fleet:`, for all. */
	readonly fleet?: object;
	/** Of the edge. */
	readonly edge?: EdgeChanges;
	readonly redis?: Pick<RedisOptions, "config" | "env">;
}

const REDIS_PORT = 6379;

const PROGRAM = [process.execPath, fileURLToPath(new URL("own-host-daemon.mjs", import.meta.url))];

/** Namespaces of this process's own are called so. */
const nameOf = (name: string) => `slt-${process.pid}-${name}`;

/** Ports on which hosts serve. */
export const HOST_PORTS = "8000-8999";

/** What the edge itself serves: nothing, but by an application in a namespace that is called so. */
export const LOCAL_NETNS = "local";

export async function openFleet(options: FleetOptions = {}): Promise<Fleet> {
	const { lease = "1s", fleet: keys = {}, edge: changes = {}, redis: redisOptions = {} } = options;
	const edge = await openEdge({ isApart: true });
	const { owned, segment, folder } = edge;
	try {
		const place = await segment.addNetns("redis");
		const redis = owned.own(
			await startRedis({
				...redisOptions,
				netns: place,
				bind: place.address,
				port: REDIS_PORT,
				config: ["protected-mode no", ...(redisOptions.config ?? [])],
			}),
		);
		const fleet = {
			redis: `redis://${place.address}:${REDIS_PORT}`,
			lease,
			advertise: [segment.subnet],
			...keys,
		};
		const { services = served(nameOf(LOCAL_NETNS), "80"), settings, ...rest } = changes;
		await edge.configure({ ...rest, services, settings: { host: "edge", flap: false, fleet, ...settings } });
		const start = async (file: string, netns: Netns | undefined, ...others: string[]) => {
			const seen = [netns?.name ?? "", ...others.map(nameOf)];
			const env = { SOLISTEND_TEST_HIDES: nameOf(""), SOLISTEND_TEST_SEES: seen.join() };
			const daemon = owned.own(startDaemon({ config: file, netns, program: PROGRAM, env }));
			await daemon.waitFor("ready", { timeoutMs: 60_000 });
			return daemon;
		};
		return {
			owned,
			edge,
			redis,
			redisLine: lineOf(segment.bridge, place),
			startEdge: () => start(edge.config, edge.netns, LOCAL_NETNS),
			async addHost(name) {
				const netns = await segment.addNetns(name);
				const home = join(folder, name);
				const config = join(home, "solistend.yaml");
				const socket = join(home, "admin.sock");
				const state = join(home, "state");
				await mkdir(state, { recursive: true });
				const configure = (own: HostChanges = {}) =>
					replaceFile(
						config,
						stringify({
							host: name,
							services: own.services ?? served(inodeOf(netns), HOST_PORTS),
							proxies: [],
							flap: false,
							state,
							admin: { socket },
							fleet: { ...fleet, ...own.fleet },
							...own.settings,
						}),
					);
				await configure();
				return {
					name,
					netns,
					config,
					socket,
					line: lineOf(segment.bridge, netns),
					at: (port) => `${netns.address}:${port}`,
					configure,
					start: () => start(config, netns),
					serve: async (port, how = {}) =>
						owned.own(await startApplication({ name: `${name}-${port}`, netns, port, ...how })),
				};
			},
			close: edge.close,
			[Symbol.asyncDispose]: edge.close,
		};
	} catch (error) {
		await edge.close();
		throw error;
	}
}

/** The service `web`, by whatever listens in a namespace. The last one goes at once, as the others do. */
const served = (netns: string | number, port: string): object => ({ web: { match: { port, netns }, lastGrace: "0s" } });

const inodeOf = ({ name }: ConnectedNetns): number => statSync(`/run/netns/${name}`).ino;

/** At the bridge's end: in the namespace all stays as it is. */
function lineOf(bridge: string, { address }: ConnectedNetns): Line {
	const port = `${bridge}-${address.split(".").at(-1)}`;
	return {
		cut: async () => void (await ip([`link set ${port} down`])),
		mend: async () => void (await ip([`link set ${port} up`])),
	};
}

/** The servers of a service that HAProxy sends new requests to, as `address:port`, in order. */
export const readyOf = (servers: readonly Server[], service = "web"): string[] =>
	servers
		.filter(({ name, admin }) => name.startsWith(`${service}/`) && admin === "ready")
		.map(({ address }) => address)
		.sort();

/** Waits until HAProxy sends new requests to these alone. */
export async function untilReady(edge: Edge, places: readonly string[], timeoutMs = 20_000): Promise<void> {
	const wanted = [...places].sort().join();
	let found = "";
	await eventually(
		`HAProxy has ${wanted === "" ? "nobody" : wanted} ready`,
		async () => {
			found = readyOf(await serversOf(edge)).join();
			if (found !== wanted) throw new Error(`it has ${found === "" ? "nobody" : found}`);
			return true;
		},
		{ timeoutMs },
	);
}
