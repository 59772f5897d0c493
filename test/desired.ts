/** A proxy and desired sets, made up. */

import { type Backend, backendId, type DesiredService, type DesiredSet } from "../src/backends/backend.js";
import { configSchema, type ProxyConfig } from "../src/config/schema.js";
import { endpointKey, netnsKey } from "../src/listeners/ids.js";

/** Templates as they are packaged. */
export const PACKAGED = [new URL("../templates", import.meta.url).pathname];

export function proxyConfig(settings: Record<string, unknown> = {}): ProxyConfig {
	const [proxy] = configSchema.parse({
		proxies: [{ name: "edge", type: "haproxy", output: "/var/lib/solistend/edge/haproxy.cfg", ...settings }],
	}).proxies;
	if (proxy === undefined) throw new Error("no proxy");
	return proxy;
}

export function backend(service: string, address: string, port = 80, rest: Partial<Backend> = {}): Backend {
	const netns = netnsKey("1");
	return {
		id: backendId(address, port),
		service,
		address,
		port,
		weight: 100,
		state: "ready",
		held: false,
		backup: false,
		host: "h",
		zone: "",
		local: true,
		endpoint: endpointKey(netns, address, port),
		netns,
		identity: { comm: "nginx", hostname: "web-1", netnsInode: 1 },
		...rest,
	};
}

export function service(
	name: string,
	backends: readonly Backend[],
	rest: Partial<DesiredService> = {},
): DesiredService {
	return { name, mode: "http", balance: "roundrobin", hosts: [], options: {}, weight: 100, backends, ...rest };
}

/** The service `web` with these addresses, all on port 80. */
export function web(...addresses: string[]): DesiredSet {
	return [
		service(
			"web",
			addresses.map((address) => backend("web", address)),
		),
	];
}
