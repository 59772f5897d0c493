/**
 * Servers that a proxy has from an earlier run of the daemon, and that the seed did not find. They stay while somebody
 * listens there, or nobody can say; an endpoint of the kernel's that leads to the same place takes over. Pure: whether
 * somebody listens is asked of others.
 */

import type { Presence } from "../identity/presence.js";
import { type EndpointKey, endpointKey, netnsKey } from "../listeners/ids.js";
import { type Backend, type BackendId, backendId } from "./backend.js";
import type { PoolChange, Pools } from "./pools.js";

/** A server as a proxy's own file has it. */
export interface AdoptedServer {
	readonly service: string;
	readonly address: string;
	readonly port: number;
	readonly weight: number;
}

/** Adopts what the pools lack, and drops again what closed since or is covered by now. */
export interface Adopted {
	adopt(servers: readonly AdoptedServer[], pools: Pools, nowMs: number): PoolChange[];
	review(pools: Pools, nowMs: number): PoolChange[];
	/** Whether a change at this port may concern one of them. */
	concerns(port: number): boolean;
	/** What is adopted now. */
	servers(): AdoptedServer[];
}

/** No namespace of the kernel's has this key. */
const NETNS = netnsKey("adopted");

export function createAdopted(presenceOf: (address: string, port: number) => Presence): Adopted {
	const adopted = new Map<EndpointKey, Backend>();

	const isCovered = (pools: Pools, backend: Backend) =>
		pools.endpointsOf(backend).some((key) => key !== backend.endpoint);

	const review = (pools: Pools, nowMs: number): PoolChange[] => {
		const changes: PoolChange[] = [];
		for (const [key, backend] of adopted) {
			if (isCovered(pools, backend)) changes.push(pools.set(key, [], nowMs));
			else if (presenceOf(backend.address, backend.port) === "closed") changes.push(pools.close(key, nowMs));
			else continue;
			adopted.delete(key);
		}
		return changes;
	};

	return {
		adopt(servers, pools, nowMs) {
			const changes: PoolChange[] = [];
			for (const { service, address, port, weight } of servers) {
				const key = endpointKey(NETNS, `${service} ${address}`, port);
				const identity = { comm: "", hostname: "", netnsInode: 0 };
				const id: BackendId = backendId(address, port);
				const backend: Backend = {
					id,
					service,
					address,
					port,
					weight,
					state: "ready",
					held: false,
					endpoint: key,
					netns: NETNS,
					identity,
				};
				if (isCovered(pools, backend)) continue;
				adopted.set(key, backend);
				changes.push(pools.set(key, [backend], nowMs));
			}
			return [...changes, ...review(pools, nowMs)];
		},
		review,
		// a socket that nobody knew and whose port was the kernel's choice has none any more when it closes
		concerns: (port) => [...adopted.values()].some((backend) => port === 0 || backend.port === port),
		servers: () => [...adopted.values()],
	};
}
