/** The files that the fleet's daemons and its HAProxy run with. */

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { stringify } from "yaml";
import { solistend } from "../../host/daemon.js";
import type { ConnectedNetns } from "../../host/netns.js";

export interface FleetFiles {
	/** URL of Redis. */
	readonly redis: string;
	/** Whose addresses all of them reach. */
	readonly subnet: string;
	/** Each host puts its files into a folder of its own in it; must exist. */
	readonly folder: string;
}

/** As short as leases get while a person reads along. */
export const LEASE_MS = 2000;
export const PORTS = "8001-8099";

/** How long a host that is drained goes on with what it has begun. */
const DRAIN_TIMEOUT = "2s";

/** Writes the configuration of a host that has no proxy and tells what listens in its namespace. @returns its path */
export async function hostConfiguration(
	{ redis, subnet, folder }: FleetFiles,
	host: string,
	netns: ConnectedNetns,
): Promise<string> {
	return write(folder, host, {
		services: servicesIn(host, netns),
		fleet: { ...fleetOf(redis), advertise: [subnet], subscribe: false },
	});
}

export interface EdgeFiles {
	readonly config: string;
	/** For `haproxy -f` and `haproxy -S`. */
	readonly haproxyFile: string;
	readonly masterSocket: string;
}

/** Writes that of an edge, where nothing listens but HAProxy, and the file that HAProxy starts with. */
export async function edgeConfiguration({ redis, folder }: FleetFiles, netns: ConnectedNetns): Promise<EdgeFiles> {
	const home = join(folder, "edge");
	const haproxyFile = join(home, "haproxy", "haproxy.cfg");
	const masterSocket = join(home, "master.sock");
	await mkdir(join(home, "haproxy"), { recursive: true });
	const config = await write(folder, "edge", {
		services: servicesIn("edge", netns),
		fleet: { ...fleetOf(redis), publish: false },
		proxies: [
			{
				name: "edge",
				type: "haproxy",
				netns: netns.name,
				template: "haproxy.cfg.hbs",
				output: haproxyFile,
				check: ["haproxy", "-c", "-f", "{{output}}"],
				masterSocket,
				runtimeSocket: join(home, "runtime.sock"),
				reloadInterval: "500ms",
				options: { bind: `${netns.address}:80` },
			},
		],
	});
	const [program, ...words] = solistend("render", "--config", config, "--proxy", "edge");
	const { stdout } = await execa(program, words, { detached: true });
	await writeFile(haproxyFile, `${stdout}\n`);
	return { config, haproxyFile, masterSocket };
}

/**
 * All daemons see the listeners of the whole machine: each takes those of its own namespace. That is `host` to them where they
 * may not look at the first process of the machine, as in a container; the hostname keeps the machine's own listeners out.
 */
const servicesIn = (host: string, { name }: ConnectedNetns) => ({
	web: { match: { netns: ["host", name], hostname: `${host}?`, port: PORTS }, drainTimeout: DRAIN_TIMEOUT },
});

const fleetOf = (redis: string) => ({ redis, cluster: "demo", lease: `${LEASE_MS}ms` });

async function write(folder: string, host: string, settings: object): Promise<string> {
	const home = join(folder, host);
	await mkdir(home, { recursive: true });
	const config = join(home, "solistend.yaml");
	const own = { host, state: home, admin: { socket: join(home, "admin.sock") } };
	await writeFile(config, stringify({ ...own, ...settings }));
	return config;
}
