/** Backends for tests: a plain one, changed where the test says so. */

import { type Backend, backendId } from "../../../src/backends/backend.js";
import { endpointKey, netnsKey } from "../../../src/listeners/ids.js";

export function backendOf(address: string, { service = "web", netns = address, bound = address } = {}): Backend {
	const key = netnsKey(netns);
	return {
		id: backendId(address, 80),
		service,
		address,
		port: 80,
		weight: 100,
		state: "ready",
		held: false,
		backup: false,
		host: "h",
		zone: "",
		local: true,
		endpoint: endpointKey(key, bound, 80),
		netns: key,
		identity: { comm: "nginx", hostname: "web", netnsInode: 1 },
	};
}
