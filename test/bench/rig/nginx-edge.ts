/** An edge host with Nginx: a segment for containers, a real Nginx with a file of its own, and the daemon's upstreams. */

import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { stringify } from "yaml";
import { type Daemon, solistend, startDaemon } from "../../host/daemon.js";
import type { EdgeChanges } from "../../host/edge.js";
import { eventually } from "../../host/eventually.js";
import { lifetime } from "../../host/lifetime.js";
import { openSegment, type Segment } from "../../host/netns.js";
import { httpLines, mainLines, pidFileIn, startNginx } from "../../host/nginx.js";
import { freePort } from "../../host/port.js";
import { NGINX } from "../../host/programs.js";
import { tempFolder } from "../../host/temp-folder.js";

export interface NginxEdge {
	readonly segment: Segment;
	/** Where Nginx serves, on 127.0.0.1. */
	readonly port: number;
	/** Starts a daemon and waits until it is ready. */
	startDaemon(): Promise<Daemon>;
	/** Waits until the upstreams are these, as `ADDRESS:PORT`, and Nginx serves them. */
	has(servers: readonly string[]): Promise<void>;
	/** How often Nginx has loaded its configuration anew, by its own log. */
	reloads(): Promise<number>;
	close(): Promise<void>;
}

export async function openNginxEdge({ services = {}, proxy = {}, settings = {} }: EdgeChanges): Promise<NginxEdge> {
	const owned = lifetime();
	try {
		const { path: folder } = owned.own(await tempFolder("solistend-bench"));
		const segment = owned.own(await openSegment());
		const port = await freePort();
		const own = join(folder, "nginx.conf");
		const output = join(folder, "upstreams", "solistend.conf");
		const config = join(folder, "solistend.yaml");
		const state = join(folder, "state");
		const admin = { socket: join(folder, "admin.sock") };
		await mkdir(join(folder, "upstreams"));
		await mkdir(state);
		await writeFile(own, configuration(folder, port, output));
		const edge = {
			name: "edge",
			type: "nginx",
			template: "nginx-upstreams.conf.hbs",
			output,
			check: [NGINX, "-t", "-q", "-c", own],
			pidFile: pidFileIn(folder),
			reloadInterval: "100ms",
			...proxy,
		};
		await writeFile(config, stringify({ services, proxies: [edge], state, admin, ...settings }));
		const [command, ...words] = solistend("render", "--config", config);
		const { stdout } = await execa(command, words, { stripFinalNewline: false });
		await writeFile(output, stdout);
		owned.own(await startNginx(folder, own, 1));
		return {
			segment,
			port,
			async startDaemon() {
				const daemon = owned.own(startDaemon({ config }));
				await daemon.waitFor("ready", { timeoutMs: 20_000 });
				return daemon;
			},
			async has(servers) {
				const wanted = [...servers].sort().join();
				await eventually("the upstreams are as they should be", async () => {
					const found = (await readFile(output, "utf8")).matchAll(/^\s*server (10\.\S+?)(?: [^;]*)?;/gm);
					return [...new Set([...found].map(([, server]) => server))].sort().join() === wanted;
				});
			},
			async reloads() {
				const log = await readFile(join(folder, "error.log"), "utf8");
				return (log.match(/\[notice\] .*: reconfiguring$/gm) ?? []).length;
			},
			close: owned.close,
		};
	} catch (error) {
		await owned.close();
		throw error;
	}
}

/** What a user has: solistend writes the upstreams that it includes. */
const configuration = (folder: string, port: number, output: string) => `${mainLines(folder).join("\n")}
worker_processes 1;
pid ${pidFileIn(folder)};
worker_shutdown_timeout 10s;
events { worker_connections 4096; }
http {
	${httpLines(folder).join("\n\t")}
	include ${output};
	server {
		listen 127.0.0.1:${port};
		location / {
			proxy_pass http://web;
			proxy_connect_timeout 1s;
		}
	}
}
`;
