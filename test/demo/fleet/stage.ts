/**
 * Everything that the demo of a fleet makes on the machine: namespaces for two hosts, an edge and a Redis on one bridge, a
 * daemon in each of the first three, a HAProxy at the edge. Knows nothing of the story that is played on it.
 */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { z } from "zod";
import { ask as askDaemon } from "../../../src/cli/ask.js";
import { type Daemon, type LogLine, solistend, startDaemon } from "../../host/daemon.js";
import { eventually } from "../../host/eventually.js";
import { ask } from "../../host/http.js";
import { processesWith } from "../../host/leftovers.js";
import { type Lifetime, lifetime } from "../../host/lifetime.js";
import { type ConnectedNetns, enter, openSegment } from "../../host/netns.js";
import { type Process, startProcess } from "../../host/process.js";
import { type RedisServer, startRedis } from "../../host/redis.js";
import { startWebServer, type WebServer } from "../../host/web-server.js";
import { demoFolder } from "../folder.js";
import { edgeConfiguration, type FleetFiles, hostConfiguration } from "./configuration.js";

/** A host with a daemon and no proxy. */
export interface FleetHost {
	readonly name: string;
	readonly netns: ConnectedNetns;
	/** For `--config`. */
	readonly config: string;
	/** What runs on it now. */
	readonly daemon: Daemon | undefined;
	readonly apps: readonly WebServer[];
	/** As the edge's daemon writes a backend of it: `service/address:port`. */
	backend(port: number): string;
	/** Starts its daemon; resolves when it is ready. */
	start(): Promise<void>;
	/** Starts a web server on it; resolves when it listens. */
	startApp(name: string, port: number): Promise<WebServer>;
	/** Daemon and web servers by SIGKILL, at once: as when its power fails, but that its kernel still refuses connections. */
	kill(): Promise<void>;
}

export interface FleetStage {
	/** Where the edge's HAProxy answers. */
	readonly url: string;
	readonly hosts: readonly [a: FleetHost, b: FleetHost];
	readonly redis: RedisServer;
	readonly edge: Daemon;
	/** Aborts when HAProxy or the edge's daemon ends by itself. */
	readonly failed: AbortSignal;
	/** What was made, for people. */
	readonly made: readonly string[];
	/** What a command of solistend's prints, on a host or (undefined) at the edge. */
	command(host: FleetHost | undefined, ...words: string[]): Promise<string[]>;
	/** What the edge's daemon says of the fleet. */
	seen(): Promise<Seen>;
	close(): Promise<void>;
	leftovers(): Promise<string[]>;
}

const seen = z.object({
	fleet: z.object({ registry: z.object({ state: z.string() }), hosts: z.array(z.object({ host: z.string() })) }),
});

export type Seen = z.output<typeof seen>["fleet"];

/** Inherited by every process that the demo starts. */
const MARK = "SOLISTEND_DEMO";
const REDIS_PORT = 6379;

/**
 * Sets the stage: when it resolves, all daemons are ready and no web server listens yet.
 *
 * @param narrator makes what is called for each line of a daemon's log, one for each daemon
 * @throws Error when something cannot be made, or `signal` aborts; what was made so far is removed then
 */
export async function openFleetStage(
	narrator: () => (line: LogLine) => void,
	signal: AbortSignal,
): Promise<FleetStage> {
	process.env[MARK] = String(process.pid);
	const owned = lifetime();
	try {
		const { path: folder } = owned.own(await demoFolder());
		const segment = owned.own(await openSegment({ prefix: "demo", friendly: true }));
		const add = async (name: string) => {
			signal.throwIfAborted();
			return segment.addNetns(name);
		};
		const [redisNetns, edgeNetns, ...hostNetns] = [
			await add("redis"),
			await add("edge"),
			await add("a"),
			await add("b"),
		];
		const { address } = redisNetns;
		const config = ["protected-mode no"];
		const redis = owned.own(await startRedis({ netns: redisNetns, bind: address, port: REDIS_PORT, config }));
		const files = { redis: `redis://${address}:${REDIS_PORT}`, subnet: segment.subnet, folder };
		const failed = new AbortController();
		const either = AbortSignal.any([signal, failed.signal]);
		const failWith = (name: string, process: Pick<Process, "exited" | "lastLines">) =>
			void process.exited.then(({ code, signal }) =>
				failed.abort(
					new Error(`${name} ended by ${signal ?? `code ${code}`}; its last lines:\n${process.lastLines()}`),
				),
			);

		const { haproxyFile, masterSocket, config: edgeConfig } = await edgeConfiguration(files, edgeNetns);
		const url = `http://${edgeNetns.address}/`;
		const haproxy = owned.own(
			startProcess([...enter(edgeNetns), "haproxy", "-W", "-S", masterSocket, "-f", haproxyFile]),
		);
		failWith("HAProxy", haproxy);
		await eventually(`HAProxy answers on ${url}`, async () => (await ask(url)).status === 503, { signal: either });
		const edge = owned.own(startDaemon({ config: edgeConfig, netns: edgeNetns, onLine: narrator() }));
		failWith("the edge's daemon", edge);
		await edge.waitFor("ready", { timeoutMs: 15_000, signal: either });
		const [a, b] = [
			await openHost("a", hostNetns[0], { owned, files, narrator, signal: either }),
			await openHost("b", hostNetns[1], { owned, files, narrator, signal: either }),
		];
		const netns = [redisNetns, edgeNetns, ...hostNetns].map(({ name }) => name);

		return {
			url,
			hosts: [a, b],
			redis,
			edge,
			failed: failed.signal,
			made: [
				`bridge ${segment.bridge} with ${segment.gateway}/24; network namespaces ${netns.join(", ")}`,
				`redis-server on ${address}:${REDIS_PORT} (pid ${redis.pid}); HAProxy on ${edgeNetns.address}:80 (pid ${haproxy.pid})`,
				`solistend on host a (pid ${a.daemon?.pid}), host b (pid ${b.daemon?.pid}) and the edge (pid ${edge.pid})`,
				`folder ${folder}`,
			],
			async command(host, ...words) {
				const [program, ...rest] = solistend(...words, "--config", host?.config ?? edgeConfig);
				return (await execa(program, rest, { env: { NO_COLOR: "1" } })).stdout.split("\n");
			},
			async seen() {
				const { body } = await askDaemon(join(folder, "edge", "admin.sock"), "GET", "/v1/status");
				return seen.parse(body).fleet;
			},
			close: owned.close,
			async leftovers() {
				const processes = await processesWith(`${MARK}=${process.pid}`);
				return [
					...netns.filter((name) => existsSync(`/run/netns/${name}`)).map((name) => `network namespace ${name}`),
					...(existsSync(`/sys/class/net/${segment.bridge}`) ? [`bridge ${segment.bridge}`] : []),
					...[folder, redis.dir].filter((path) => existsSync(path)).map((path) => `folder ${path}`),
					...processes.map((line) => `process ${line}`),
				];
			},
		};
	} catch (error) {
		await owned.close();
		throw error;
	}
}

interface HostOptions {
	readonly owned: Lifetime;
	readonly files: FleetFiles;
	readonly narrator: () => (line: LogLine) => void;
	readonly signal: AbortSignal;
}

async function openHost(
	name: string,
	netns: ConnectedNetns | undefined,
	{ owned, files, narrator, signal }: HostOptions,
): Promise<FleetHost> {
	if (netns === undefined) throw new Error(`host ${name} has no namespace`);
	const config = await hostConfiguration(files, name, netns);
	let daemon: Daemon | undefined;
	let apps: WebServer[] = [];
	const start = async () => {
		daemon = owned.own(startDaemon({ config, netns, onLine: narrator() }));
		await daemon.waitFor("ready", { timeoutMs: 15_000, signal });
	};
	await start();
	return {
		name,
		netns,
		config,
		get daemon() {
			return daemon;
		},
		get apps() {
			return apps;
		},
		backend: (port) => `web/${netns.address}:${port}`,
		start,
		async startApp(app, port) {
			const folder = join(files.folder, name, app);
			const server = owned.own(await startWebServer({ name: app, netns, port, folder }));
			apps.push(server);
			return server;
		},
		async kill() {
			const killed = [daemon?.kill(), ...apps.map((app) => app.stop("SIGKILL"))];
			daemon = undefined;
			apps = [];
			await Promise.all(killed);
		},
	};
}
