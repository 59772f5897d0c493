/** A HAProxy that solistend knows nothing of, with the settings of the packaged templates: what it is compared with. */

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Haproxy, startHaproxy } from "../../host/haproxy.js";
import { freePort } from "../../host/port.js";
import { tempFolder } from "../../host/temp-folder.js";

export interface PlainHaproxy extends AsyncDisposable {
	/** Where it serves, on 127.0.0.1. */
	readonly port: number;
	readonly runtimeSocket: string;
	readonly haproxy: Haproxy;
	close(): Promise<void>;
}

/**
 * @param servers of the backend `web`
 * @param backendLines what that has besides
 */
export async function openPlainHaproxy(
	servers: readonly string[],
	backendLines: readonly string[] = [],
): Promise<PlainHaproxy> {
	const folder = await tempFolder("solistend-bench");
	const port = await freePort();
	const runtimeSocket = join(folder.path, "runtime.sock");
	const file = join(folder.path, "haproxy.cfg");
	await writeFile(
		file,
		configuration(port, runtimeSocket, [...backendLines, ...servers.map((server) => `server ${server}`)]),
	);
	const haproxy = await startHaproxy({ dir: folder.path, configFiles: [file] });
	const close = async () => {
		await haproxy.stop();
		await folder.close();
	};
	return { port, runtimeSocket, haproxy, close, [Symbol.asyncDispose]: close };
}

const configuration = (port: number, socket: string, lines: readonly string[]) => `global
	stats socket ${socket} mode 600 level admin

defaults
	mode http
	timeout connect 1s
	timeout client 30s
	timeout server 30s
	timeout http-request 10s

frontend http
	bind 127.0.0.1:${port}
	default_backend web

backend web
	balance roundrobin
	retries 3
	option redispatch
	retry-on conn-failure
${lines.map((line) => `\t${line}\n`).join("")}`;
