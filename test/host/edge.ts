/** An edge host for a test: a segment for containers, a real HAProxy, and a configuration of the daemon. */

import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "yaml";
import { type Daemon, type LogLine, startDaemon } from "./daemon.js";
import { type Haproxy, startHaproxy } from "./haproxy.js";
import { type Lifetime, lifetime } from "./lifetime.js";
import { type ConnectedNetns, type Netns, openSegment, type Segment } from "./netns.js";
import { freePort } from "./port.js";
import { HAPROXY } from "./programs.js";
import { rendered } from "./rendered.js";
import { replaceFile } from "./replace-file.js";
import { tempFolder } from "./temp-folder.js";

export interface Edge extends AsyncDisposable {
	/** Whatever a test adds to it, closed with it, last first. */
	readonly owned: Lifetime;
	readonly folder: string;
	readonly segment: Segment;
	/** Where HAProxy serves. */
	readonly url: string;
	readonly port: number;
	readonly haproxy: Haproxy;
	/** Where HAProxy runs; undefined: in the host's namespace. */
	readonly netns: ConnectedNetns | undefined;
	readonly runtimeSocket: string;
	/** The configuration, and the file that is written. */
	readonly config: string;
	readonly output: string;
	/** The daemon's control socket, and the folder of its state. */
	readonly socket: string;
	readonly state: string;
	/** Folder of own templates, watched by the daemon. */
	readonly templates: string;
	/** Writes the configuration anew, with these changes. */
	configure(changes?: EdgeChanges): Promise<void>;
	/** Starts a daemon, in the host's namespace unless another is given, and waits until it is ready. */
	startDaemon(netns?: Netns): Promise<Daemon>;
	/** The file that HAProxy loads. */
	written(): Promise<string>;
	close(): Promise<void>;
}

export interface EdgeChanges {
	readonly services?: object;
	readonly proxy?: object;
	readonly settings?: object;
}

export interface EdgeOptions extends EdgeChanges {
	/** What HAProxy loads besides, such as backends of a user's own. */
	readonly beside?: string;
	/** Puts HAProxy into a namespace of its own, on the segment. */
	readonly isApart?: boolean;
	/** Puts HAProxy into this namespace, which is connected to the segment. */
	readonly within?: Netns;
}

/** Every listener on port 80 of this process's own namespaces: another run's may be there, too. */
const SERVICES = { web: { match: { port: 80, netns: `slt-${process.pid}-*` } } };

/** @param program the HAProxy to run and to check with */
export async function openEdge(options: EdgeOptions = {}, program = HAPROXY): Promise<Edge> {
	const { beside = "", isApart = false, within, ...changes } = options;
	const owned = lifetime();
	try {
		const { path: folder } = owned.own(await tempFolder());
		const segment = owned.own(await openSegment());
		const apart = isApart ? segment.addNetns("edge") : undefined;
		const netns = await (within === undefined ? apart : segment.connect(within));
		const port = netns === undefined ? await freePort() : 80;
		const address = netns?.address ?? "127.0.0.1";
		const output = join(folder, "haproxy", "haproxy.cfg");
		const runtimeSocket = join(folder, "runtime.sock");
		const config = join(folder, "solistend.yaml");
		const templates = join(folder, "templates");
		const socket = join(folder, "admin.sock");
		const state = join(folder, "state");
		await mkdir(join(folder, "haproxy"));
		await mkdir(templates);
		await mkdir(state);
		const configure = ({ services = SERVICES, proxy = {}, settings = {} }: EdgeChanges = {}) => {
			const edge = {
				name: "edge",
				type: "haproxy",
				template: "haproxy.cfg.hbs",
				output,
				check: [program, "-c", "-f", "{{output}}"],
				masterSocket: join(folder, "master.sock"),
				runtimeSocket,
				reloadInterval: "100ms",
				options: { bind: `${address}:${port}` },
				...(netns !== undefined && { netns: netns.name }),
				...proxy,
			};
			return replaceFile(config, stringify({ services, proxies: [edge], state, admin: { socket }, ...settings }));
		};
		await configure(changes);
		await writeFile(output, await rendered(config));
		const own = join(folder, "own.cfg");
		await writeFile(own, beside);
		const configFiles = beside === "" ? [output] : [output, own];
		const haproxy = await startHaproxy({ dir: folder, configFiles, program, netns });
		owned.own({ close: haproxy.stop });
		return {
			owned,
			folder,
			segment,
			url: `http://${address}:${port}/`,
			port,
			haproxy,
			netns,
			runtimeSocket,
			config,
			output,
			socket,
			state,
			templates,
			configure,
			async startDaemon(within) {
				const daemon = owned.own(startDaemon({ config, netns: within }));
				await daemon.waitFor("ready", { timeoutMs: 20_000 });
				return daemon;
			},
			written: () => readFile(output, "utf8"),
			close: owned.close,
			[Symbol.asyncDispose]: owned.close,
		};
	} catch (error) {
		await owned.close();
		throw error;
	}
}

/** The lines with which the daemon told of applied changes. */
export const applied = ({ lines }: Daemon): LogLine[] => lines.filter(({ msg }) => msg === "applied");

/** Waits until a server joined, as the daemon logs it. */
export function joined(daemon: Daemon, server: string, from = 0, timeoutMs = 10_000): Promise<LogLine> {
	return daemon.waitFor(({ msg, joined }) => msg === "applied" && Array.isArray(joined) && joined.includes(server), {
		from,
		timeoutMs,
	});
}

export function left(daemon: Daemon, server: string, from = 0): Promise<LogLine> {
	return daemon.waitFor(({ msg, left }) => msg === "applied" && Array.isArray(left) && left.includes(server), { from });
}
