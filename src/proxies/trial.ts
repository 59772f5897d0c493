/**
 * Made-up backends to try a template on: a mistake inside `{{#each backends}}` shows when the template is loaded, and
 * not when the first backend joins. Pure.
 */

import { type Backend, backendId, type DesiredSet } from "../backends/backend.js";
import type { Config } from "../config/schema.js";
import { endpointKey, netnsKey } from "../listeners/ids.js";

/** The configured services, each without backends. */
export function servicesAlone(services: Config["services"]): DesiredSet {
	return Object.entries(services).map(([name, { mode, balance, hosts, options, weight }]) => ({
		name,
		mode,
		balance,
		hosts,
		options,
		weight,
		backends: [],
	}));
}

/** The services without backends, and with one of IPv4 and one of IPv6 each; addresses are those of RFC 5737 and 3849. */
export function trialSets(services: Config["services"]): readonly DesiredSet[] {
	const empty = servicesAlone(services);
	const full: DesiredSet = empty.map((service) => ({
		...service,
		backends: [trialBackend(service.name, "192.0.2.1", "ready"), trialBackend(service.name, "2001:db8::1", "closing")],
	}));
	return [empty, full];
}

function trialBackend(service: string, address: string, state: Backend["state"]): Backend {
	const netns = netnsKey("1");
	return {
		id: backendId(address, 80),
		service,
		address,
		port: 80,
		weight: 100,
		state,
		held: false,
		backup: false,
		host: "host-1",
		zone: "zone-1",
		local: true,
		endpoint: endpointKey(netns, address, 80),
		netns,
		identity: {
			comm: "server",
			hostname: "web-1",
			unit: "web.service",
			container: "0".repeat(64),
			containerName: "web-1",
			image: "nginx:1",
			netnsName: "blue",
			netnsInode: 1,
		},
	};
}
