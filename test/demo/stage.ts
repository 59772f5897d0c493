/**
 * Everything that the demo makes on the machine: a bridge with three namespaces, a HAProxy, the daemon. Knows nothing
 * of the story that is played on it.
 */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Daemon, type LogLine, startDaemon } from "../host/daemon.js";
import { eventually } from "../host/eventually.js";
import { ask } from "../host/http.js";
import { processesWith } from "../host/leftovers.js";
import { lifetime } from "../host/lifetime.js";
import { openSegment } from "../host/netns.js";
import { isPortFree } from "../host/port.js";
import { type Process, startProcess } from "../host/process.js";
import { startWebServer, type WebServer } from "../host/web-server.js";
import { writeConfiguration } from "./configuration.js";
import { demoFolder } from "./folder.js";

/** A namespace in which a web server can be started. */
export interface Place {
	/** What its server is called. */
	readonly name: string;
	readonly netns: string;
	/** As the daemon writes it: `service/address:port`. */
	readonly backend: string;
	/** What to type to start its server by hand, once it ran. */
	readonly startCommand: string;
	/** Starts its server; resolves when it listens. */
	startServer(): Promise<WebServer>;
}

export interface Stage {
	/** Where HAProxy answers. */
	readonly url: string;
	readonly places: readonly Place[];
	readonly daemon: Daemon;
	/** Aborts when HAProxy or the daemon ends by itself. */
	readonly failed: AbortSignal;
	/** What was made, for people. */
	readonly made: readonly string[];
	/** Removes everything. Once it began, further calls wait for the same. */
	close(): Promise<void>;
	/** What is still there of it: nothing, after `close`. */
	leftovers(): Promise<string[]>;
}

export interface StageOptions {
	/** Port of 127.0.0.1 for HAProxy; must be free. */
	readonly port: number;
	readonly names: readonly string[];
	/** Called for each line of the daemon's log. */
	readonly onLine: (line: LogLine) => void;
	readonly signal: AbortSignal;
}

const SERVER_PORT = 80;
/** Inherited by every process that the demo starts. */
const MARK = "SOLISTEND_DEMO";

/**
 * Sets the stage: when it resolves, the daemon is ready and no server listens yet.
 *
 * @throws Error when something cannot be made, or `signal` aborts; what was made so far is removed then
 */
export async function openStage({ port, names, onLine, signal }: StageOptions): Promise<Stage> {
	process.env[MARK] = String(process.pid);
	const url = `http://127.0.0.1:${port}/`;
	const owned = lifetime();
	try {
		const { path: folder } = owned.own(await demoFolder());
		const segment = owned.own(await openSegment({ prefix: "demo", friendly: true }));
		const places: Place[] = [];
		for (const name of names) {
			signal.throwIfAborted();
			const netns = await segment.addNetns(name);
			const home = join(folder, name);
			places.push({
				name,
				netns: netns.name,
				backend: `web/${netns.address}:${SERVER_PORT}`,
				startCommand: `ip netns exec ${netns.name} nginx -c ${home}/nginx.conf`,
				startServer: async () => owned.own(await startWebServer({ name, netns, port: SERVER_PORT, folder: home })),
			});
		}

		const namespaces = places.map(({ netns }) => netns);
		const files = await writeConfiguration({ folder, port, namespaces, serverPort: SERVER_PORT });
		signal.throwIfAborted();
		const failed = new AbortController();
		const failWith = (name: string, process: Pick<Process, "exited" | "lastLines">) =>
			process.exited.then(({ code, signal }) =>
				failed.abort(
					new Error(`${name} ended by ${signal ?? `code ${code}`}; its last lines:\n${process.lastLines()}`),
				),
			);
		const either = AbortSignal.any([signal, failed.signal]);

		const haproxy = owned.own(startProcess(["haproxy", "-W", "-S", files.masterSocket, "-f", files.haproxyFile]));
		failWith("HAProxy", haproxy);
		await eventually(`HAProxy answers on ${url}`, async () => (await ask(url)).status === 503, { signal: either });
		const daemon = owned.own(startDaemon({ config: files.config, onLine }));
		failWith("the daemon", daemon);
		await daemon.waitFor("ready", { timeoutMs: 15_000, signal: either });

		return {
			url,
			places,
			daemon,
			failed: failed.signal,
			made: [
				`bridge ${segment.bridge} with ${segment.gateway}/24; network namespaces ${namespaces.join(", ")}`,
				`HAProxy on 127.0.0.1:${port} (pid ${haproxy.pid}); solistend (pid ${daemon.pid})`,
				`folder ${folder}`,
			],
			close: owned.close,
			async leftovers() {
				const processes = await processesWith(`${MARK}=${process.pid}`);
				return [
					...namespaces.filter((name) => existsSync(`/run/netns/${name}`)).map((name) => `network namespace ${name}`),
					...(existsSync(`/sys/class/net/${segment.bridge}`) ? [`bridge ${segment.bridge}`] : []),
					...(existsSync(folder) ? [`folder ${folder}`] : []),
					...processes.map((line) => `process ${line}`),
					...((await isPortFree(port)) ? [] : [`a listener on 127.0.0.1:${port}`]),
				];
			},
		};
	} catch (error) {
		await owned.close();
		throw error;
	}
}
