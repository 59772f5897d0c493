/** The files that the demo's daemon and HAProxy run with. */

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { stringify } from "yaml";
import { solistend } from "../host/daemon.js";

export interface ConfigurationOptions {
	/** Where to put them; must exist. */
	readonly folder: string;
	/** Port of 127.0.0.1 on which HAProxy serves. */
	readonly port: number;
	/** Names of the namespaces whose servers are backends of `web`. */
	readonly namespaces: readonly string[];
	/** On which those listen. */
	readonly serverPort: number;
}

export interface Configuration {
	/** For `solistend run --config`. */
	readonly config: string;
	/** For `haproxy -f`: as rendered when nothing listens yet. */
	readonly haproxyFile: string;
	/** For `haproxy -S`. */
	readonly masterSocket: string;
}

/** Writes the configuration, and has solistend render HAProxy's from it: HAProxy must have one to start with. */
export async function writeConfiguration({
	folder,
	port,
	namespaces,
	serverPort,
}: ConfigurationOptions): Promise<Configuration> {
	const config = join(folder, "solistend.yaml");
	const haproxyFile = join(folder, "haproxy", "haproxy.cfg");
	const masterSocket = join(folder, "master.sock");
	const settings = {
		services: { web: { match: { netns: namespaces, port: serverPort } } },
		proxies: [
			{
				name: "demo",
				type: "haproxy",
				template: "haproxy.cfg.hbs",
				output: haproxyFile,
				check: ["haproxy", "-c", "-f", "{{output}}"],
				masterSocket,
				runtimeSocket: join(folder, "runtime.sock"),
				reloadInterval: "500ms",
				options: { bind: `127.0.0.1:${port}` },
			},
		],
		state: folder,
		admin: { socket: join(folder, "admin.sock") },
	};
	await writeFile(config, stringify(settings));
	await mkdir(join(folder, "haproxy"));
	const [program, ...words] = solistend("render", "--config", config, "--proxy", "demo");
	const { stdout } = await execa(program, words, { detached: true });
	await writeFile(haproxyFile, `${stdout}\n`);
	return { config, haproxyFile, masterSocket };
}
