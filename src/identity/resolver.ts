/**
 * The identity stage: who is behind a listening socket, and where it can be reached. Puts together what the kernel's
 * record, `/proc` and `/run/netns` tell; synchronous, since all of it is memory. Knows nothing of services and proxies.
 */

import type { networkInterfaces } from "node:os";
import type { Listener } from "../listeners/event.js";
import type { SocketId } from "../listeners/ids.js";
import { type CgroupPlace, parseCgroup } from "./cgroup.js";
import type { Addresses, Identity } from "./identity.js";
import { createNamespaces } from "./namespaces.js";
import { createNetnsNames } from "./netns-names.js";
import { createProcfs, type Procfs } from "./procfs.js";
import { createRecent } from "./recent.js";
import { isStillThere } from "./reporter.js";
import { MAX_PATH_LENGTH, sanitize } from "./sanitize.js";

export interface Resolved {
	readonly identity: Identity;
	readonly addresses: Addresses;
	/** Whether the socket is in the host's own network namespace. */
	readonly isHost: boolean;
}

export interface Resolver {
	/**
	 * What is known of a listener now. Never throws: what can't be found out is absent, or `unknown` with the reason, and
	 * a later call tries again.
	 */
	resolve(listener: Listener): Resolved;
	/** From now on all is looked at anew, however new it is: for a look that is to find what has changed. */
	expire(): void;
}

/** All of them are for tests. */
export interface ResolverOptions {
	readonly procfs?: Procfs;
	/** Where the names of namespaces are; default `/run/netns`. */
	readonly netnsFolder?: string;
	/** Milliseconds of a clock that does not jump. */
	readonly now?: () => number;
	/** The interfaces of our own namespace. */
	readonly interfaces?: typeof networkInterfaces;
}

/** How many sockets' places are remembered. */
const MAX_PLACES = 16_384;

/** A burst of listeners in one namespace is answered from one look at its name. */
const FRESH_MS = 50;
const NOTHING = { names: new Map<number, string>(), untilMs: Number.NEGATIVE_INFINITY };

export function createResolver(options: ResolverOptions = {}): Resolver {
	const { procfs = createProcfs(), now = () => performance.now(), netnsFolder, interfaces } = options;
	const names = createNetnsNames({ procfs, ...(netnsFolder !== undefined && { folder: netnsFolder }) });
	const namespaces = createNamespaces({ procfs, now, ...(interfaces !== undefined && { interfaces }) });
	/** The names that were found, until they are looked at again. */
	let named = NOTHING;
	/** Learnt once for each socket and process: a process may exit while its children go on serving the socket. */
	const places = createRecent<SocketId, { readonly pid: number; readonly place: CgroupPlace }>(MAX_PLACES);

	const placeOf = (listener: Listener): CgroupPlace => {
		const learnt = places.get(listener.socket);
		if (learnt?.pid === listener.pid) return learnt.place;
		const text = isStillThere(procfs, listener) ? procfs.readCgroup(listener.pid) : undefined;
		if (text === undefined) return learnt?.place ?? {};
		const place = safePlace(parseCgroup(text));
		places.set(listener.socket, { pid: listener.pid, place });
		return place;
	};

	const nameOf = (inode: number): string | undefined => {
		const nowMs = now();
		if (nowMs >= named.untilMs) named = { names: new Map(), untilMs: nowMs + FRESH_MS };
		const name = named.names.get(inode) ?? names.nameOf(inode);
		if (name !== undefined) named.names.set(inode, name);
		return name;
	};

	return {
		expire() {
			namespaces.expire();
			named = NOTHING;
		},
		resolve(listener) {
			const name = nameOf(listener.netnsInode);
			return {
				identity: {
					comm: sanitize(listener.comm),
					hostname: sanitize(listener.hostname),
					...placeOf(listener),
					...(name !== undefined && { netnsName: sanitize(name) }),
					netnsInode: listener.netnsInode,
				},
				addresses: namespaces.addressesOf(listener),
				isHost: listener.netnsInode === names.hostInode(),
			};
		},
	};
}

function safePlace({ cgroup, unit, container }: CgroupPlace): CgroupPlace {
	return {
		...(cgroup !== undefined && { cgroup: sanitize(cgroup, MAX_PATH_LENGTH) }),
		...(unit !== undefined && { unit: sanitize(unit) }),
		...(container !== undefined && { container }),
	};
}
