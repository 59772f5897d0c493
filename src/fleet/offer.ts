/**
 * What a host tells others of a backend on it: the place where they reach it, and the facts that they judge it by. They
 * judge it themselves, among all backends of the service: whether it is the last one is theirs to know. Pure.
 */

import type { Hold } from "../backends/backend.js";
import type { Identity } from "../identity/identity.js";
import type { PausedBy } from "../listeners/event.js";

/** A place that a host offers for a service. It passed its gate, where the service has one. */
export interface Offer {
	readonly service: string;
	/** Where other hosts reach it, in canonical text. */
	readonly address: string;
	readonly port: number;
	readonly weight: number;
	/** Set when all that listens there was told to stop. `atNs`, of the host's own clock, only tells one time from another. */
	readonly told?: { readonly signal: string; readonly atNs: number };
	/** Set while it listens and can't serve. */
	readonly stuck?: OfferedStuck;
	/** A person's word, given on its own host. */
	readonly held?: Hold["state"];
	readonly identity: OfferedIdentity;
}

/** As `Stuck`, without times: the clocks of two hosts have nothing in common. */
export type OfferedStuck =
	| { readonly kind: "paused"; readonly by: PausedBy; readonly pid: number }
	| { readonly kind: "hung"; readonly pid: number; readonly queued: number; readonly backlog: number };

/** What is told of who listens: paths and numbers of a host's own kernel mean nothing elsewhere. */
export type OfferedIdentity = Omit<Identity, "cgroup" | "netnsName" | "netnsInode"> & { readonly netnsInode: 0 };

/** Of an identity as this host knows it, or as another one wrote it. */
export function offeredIdentity({
	comm,
	hostname,
	unit,
	container,
	pod,
	machine,
	containerName,
	image,
}: Omit<Identity, "netnsInode">): OfferedIdentity {
	return {
		comm,
		hostname,
		...(unit !== undefined && { unit }),
		...(container !== undefined && { container }),
		...(pod !== undefined && { pod }),
		...(machine !== undefined && { machine }),
		...(containerName !== undefined && { containerName }),
		...(image !== undefined && { image }),
		netnsInode: 0,
	};
}

/** `SERVICE|ADDRESS:PORT`: what `refKey` makes of a backend at the offered place. One host offers each at most once. */
export type OfferKey = string;

/** What changed in what a host offers. */
export type OfferChange =
	| { readonly kind: "put"; readonly key: OfferKey; readonly offer: Offer }
	| { readonly kind: "take"; readonly key: OfferKey; readonly why: TakenWhy };

/** Whether the kernel said that it closed, or it is offered no longer for another reason (rules, addresses, a read). */
export type TakenWhy = "closed" | "withdrawn";

/** A service that exists by label on a host, told so that hosts without such a container know it. */
export interface OfferedService {
	readonly name: string;
	readonly mode: "http" | "tcp";
	readonly hosts: readonly string[];
	readonly drainTimeout: number;
}
