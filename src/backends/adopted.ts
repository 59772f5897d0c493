/**
 * Servers that a proxy has from an earlier run of the daemon, and that the seed did not find. They stay while somebody
 * listens there, or nobody can say; an endpoint of the kernel's that leads to the same place takes over. Pure: whether
 * somebody listens is asked of others.
 */

import type { Presence } from "../identity/presence.js";
import { type EndpointKey, endpointKey } from "../listeners/ids.js";
import { ADOPTED_NETNS, type Backend, type BackendRef, backendId } from "./backend.js";
import type { Pools } from "./pools.js";

/** A server as a proxy's own file has it. */
export interface AdoptedServer {
	readonly service: string;
	readonly address: string;
	readonly port: number;
	readonly weight: number;
}

/** What a server is as a backend, by name. */
export const refOf = ({ service, address, port }: Omit<AdoptedServer, "weight">): BackendRef => ({
	service,
	id: backendId(address, port),
});

/** Adopts what the pools lack, and drops again what closed since or is covered by now. */
export interface Adopted {
	adopt(servers: readonly AdoptedServer[], pools: Pools, nowMs: number): void;
	review(pools: Pools): void;
	/** Drops what is covered by now, whatever its port, or went with its service: costs next to nothing. */
	yield(pools: Pools): void;
	/** Whether a change at this port may concern one of them. */
	concerns(port: number): boolean;
	/** What is adopted now. */
	servers(): AdoptedServer[];
}

/** @param presenceOf whether somebody listens there; of another host's server `elsewhere`, which goes */
export function createAdopted(presenceOf: (server: AdoptedServer) => Presence): Adopted {
	const adopted = new Map<EndpointKey, Backend>();

	const dropWhere = (pools: Pools, isOver: (backend: Backend) => boolean) => {
		for (const [key, backend] of adopted) {
			if (!isOver(backend)) continue;
			pools.drop(key);
			adopted.delete(key);
		}
	};
	const review = (pools: Pools) =>
		dropWhere(pools, (backend) => pools.hasOthers(backend) || isGone(presenceOf(backend)));

	return {
		adopt(servers, pools, nowMs) {
			for (const { service, address, port, weight } of servers) {
				const key = endpointKey(ADOPTED_NETNS, `${service} ${address}`, port);
				const identity = { comm: "", hostname: "", netnsInode: 0 };
				const backend: Backend = {
					...refOf({ service, address, port }),
					address,
					port,
					weight,
					state: "ready",
					held: false,
					backup: false,
					host: "",
					zone: "",
					local: false,
					endpoint: key,
					netns: ADOPTED_NETNS,
					identity,
				};
				if (pools.hasOthers(backend)) continue;
				adopted.set(key, backend);
				pools.set(key, [{ backend }], "", nowMs);
			}
			review(pools);
		},
		review,
		yield: (pools) => dropWhere(pools, (backend) => pools.hasOthers(backend) || !pools.isLetIn(backend)),
		// a socket that nobody knew and whose port was the kernel's choice has none any more when it closes
		concerns(port) {
			for (const backend of adopted.values()) if (port === 0 || backend.port === port) return true;
			return false;
		},
		servers: () => [...adopted.values()],
	};
}

const isGone = (presence: Presence): boolean => presence === "closed" || presence === "elsewhere";
