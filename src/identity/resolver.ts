/**
 * The identity stage: who is behind a listening socket, and where it can be reached. Puts together what the kernel's
 * record, `/proc` and `/run/netns` tell; synchronous, since all of it is memory. Knows nothing of services and proxies.
 */

import type { networkInterfaces } from "node:os";
import type { Listener } from "../listeners/event.js";
import type { NetnsKey, SocketId } from "../listeners/ids.js";
import { type CgroupPlace, parseCgroup } from "./cgroup.js";
import { type Container, type ContainerLookup, sameLookup } from "./container.js";
import { createFresh, type Moment } from "./fresh.js";
import type { Addresses, Identity } from "./identity.js";
import { createKin } from "./kin.js";
import { createNamespaces } from "./namespaces.js";
import { createNetnsNames } from "./netns-names.js";
import { createProcfs, type Procfs } from "./procfs.js";
import { createRecent } from "./recent.js";
import type { Routes } from "./routes.js";
import { createRouting } from "./routing.js";
import { MAX_PATH_LENGTH, sanitize } from "./sanitize.js";

export interface Resolved {
	readonly identity: Identity;
	readonly addresses: Addresses;
	/** Whether the socket is in the host's own network namespace. */
	readonly isHost: boolean;
	/** What the engine says of its container; absent when it is in none, or no engine is asked. */
	readonly container?: ContainerLookup;
	/** Which of the addresses another namespace has, too; absent when there are none. The same value while it holds. */
	readonly shared?: readonly string[];
}

export interface Resolver {
	/**
	 * What is known of a listener now. Never throws: what can't be found out is absent, or `unknown` with the reason, and
	 * a later call tries again.
	 */
	resolve(listener: Listener): Resolved;
	/** From now on all is looked at anew, however new it is: for a look that is to find what has changed. */
	expire(): void;
	/** How addresses are reached from a namespace, as {@link Routing} has it. */
	routesOf(netns: string | number): Routes;
	/** Whether a service wants somebody who listens in the namespace: only then its addresses are in the way of others. */
	want(netns: NetnsKey, isWanted: boolean): void;
	/** Nobody listens in the namespace any more. */
	forget(netns: NetnsKey): void;
	/** The namespaces whose listeners may resolve to something else since they were asked for last. */
	disturbed(): NetnsKey[];
}

export interface ResolverOptions {
	/** What is known of a container, by its full id; undefined when no engine is asked. */
	readonly lookup?: (id: string) => ContainerLookup | undefined;
	/** Whether an engine is asked; default: no. */
	readonly isAsking?: () => boolean;
	/** This and what follows is for tests. */
	readonly procfs?: Procfs;
	/** Where the names of namespaces are; default `/run/netns`. */
	readonly netnsFolder?: string;
	/** Milliseconds of a clock that does not jump. */
	readonly now?: () => number;
	/** The interfaces of our own namespace. */
	readonly interfaces?: typeof networkInterfaces;
}

const NOWHERE: CgroupPlace = {};

/** How many sockets' places are remembered. */
const MAX_PLACES = 16_384;

/** A process that was looked at. */
interface Process {
	readonly pid: number;
	readonly startedAtNs: number | undefined;
	readonly place: CgroupPlace | undefined;
	readonly moment: Moment;
}

/** All that was found of a listener. */
interface Found extends Pick<Resolved, "addresses" | "isHost"> {
	readonly listener: Listener;
	readonly place: CgroupPlace;
	readonly name: string | undefined;
	readonly container: ContainerLookup | undefined;
	readonly shared: readonly string[] | undefined;
}

/** Names that were found, or that there is none, until they are looked at again. */
interface Named {
	readonly names: Map<number, string | undefined>;
	readonly moment: Moment | undefined;
}

export function createResolver(options: ResolverOptions = {}): Resolver {
	const { procfs = createProcfs(), now = () => performance.now(), netnsFolder, interfaces, lookup } = options;
	const { isAsking = () => false } = options;
	const names = createNetnsNames({ procfs, ...(netnsFolder !== undefined && { folder: netnsFolder }) });
	const fresh = createFresh(now);
	const namespaces = createNamespaces({ procfs, now, fresh, ...(interfaces !== undefined && { interfaces }) });
	const kinOf = createKin({ procfs, now });
	const { routesOf } = createRouting({ procfs, names, namespaces, fresh });
	let named: Named = { names: new Map(), moment: undefined };
	/** Learnt once for each socket and process: a process may exit while its children go on serving the socket. */
	const places = createRecent<SocketId, { readonly pid: number; readonly place: CgroupPlace }>(MAX_PLACES);

	/** The container that all of them are in; which of its processes it was, and in which unit, nobody can say any more. */
	const placeOfKin = (listener: Listener): CgroupPlace | undefined => {
		const places = kinOf(listener).flatMap((pid) => {
			const text = procfs.readCgroup(pid);
			return text === undefined ? [] : safePlace(parseCgroup(text));
		});
		const [first] = places;
		if (first?.container === undefined || places.some(({ container }) => container !== first.container))
			return undefined;
		const { container, pod, machine } = first;
		return { container, ...(pod !== undefined && { pod }), ...(machine !== undefined && { machine }) };
	};

	/** The one that was looked at last: it may have many sockets. */
	let last: Process | undefined;
	const processOf = (pid: number): Process => {
		if (last?.pid === pid && fresh.isFresh(last.moment)) return last;
		const moment = fresh.moment();
		// when it started comes first: a process that took over the number meanwhile has a later time
		const startedAtNs = procfs.startedAtNs(pid);
		const text = startedAtNs === undefined ? undefined : procfs.readCgroup(pid);
		last = { pid, startedAtNs, place: text === undefined ? undefined : safePlace(parseCgroup(text)), moment };
		return last;
	};

	const placeOf = (listener: Listener): CgroupPlace => {
		const learnt = places.get(listener.socket);
		if (learnt?.pid === listener.pid) return learnt.place;
		const process = processOf(listener.pid);
		// else the number belongs to one that started after the event
		const isStillThere = process.startedAtNs !== undefined && process.startedAtNs <= listener.atNs;
		const own = isStillThere ? process.place : undefined;
		if (own === undefined && learnt !== undefined) return learnt.place;
		const place = own ?? placeOfKin(listener);
		if (place === undefined) return NOWHERE;
		places.set(listener.socket, { pid: listener.pid, place });
		return place;
	};

	const nameOf = (inode: number): string | undefined => {
		if (!fresh.isFresh(named.moment)) named = { names: new Map(), moment: fresh.moment() };
		if (!named.names.has(inode)) named.names.set(inode, names.nameOf(inode));
		return named.names.get(inode);
	};

	/** The one that was resolved last: listeners of one process come together, and share what is known of it. */
	let latest: { readonly found: Found; readonly resolved: Resolved } | undefined;

	return {
		expire: fresh.expire,
		routesOf,
		want: namespaces.want,
		forget: namespaces.forget,
		disturbed: namespaces.disturbed,
		resolve(listener) {
			const name = nameOf(listener.netnsInode);
			const place = placeOf(listener);
			// one in a machine is of that one's engine, and could call itself as it likes
			const isOurs = place.container !== undefined && place.machine === undefined;
			const isHost = listener.netnsInode === names.hostInode();
			const container = isOurs
				? lookup?.(place.container)
				: isAsking() && !isHost
					? whoKnows(place, listener)
					: undefined;
			const addresses = namespaces.addressesOf(listener);
			const shared = namespaces.sharedOf(listener.netns);
			const found = { listener, place, name, isHost, container, addresses, shared };
			if (latest === undefined || !sameFound(latest.found, found)) latest = { found, resolved: resolvedBy(found) };
			return latest.resolved;
		},
	};
}

function resolvedBy({ listener, place, name, isHost, container, addresses, shared }: Found): Resolved {
	return {
		identity: {
			comm: sanitize(listener.comm),
			hostname: sanitize(listener.hostname),
			...place,
			...(container?.state === "known" && namesOf(container.container)),
			...(name !== undefined && { netnsName: sanitize(name) }),
			netnsInode: listener.netnsInode,
		},
		addresses,
		isHost,
		...(container !== undefined && { container }),
		...(shared !== undefined && { shared }),
	};
}

/** Whether the same is known by both. */
function sameFound(a: Found, b: Found): boolean {
	return (
		a.listener.comm === b.listener.comm &&
		a.listener.hostname === b.listener.hostname &&
		a.listener.netnsInode === b.listener.netnsInode &&
		a.place === b.place &&
		a.name === b.name &&
		a.isHost === b.isHost &&
		a.addresses === b.addresses &&
		a.shared === b.shared &&
		sameLookup(a.container, b.container)
	);
}

/** Of one whose process nobody could look at it is not known whether it is in a container. */
function whoKnows({ cgroup, machine }: CgroupPlace, { pid }: Listener): ContainerLookup | undefined {
	if (cgroup !== undefined || machine !== undefined) return undefined;
	return {
		state: "waiting",
		why: `process ${pid}, which listened, is gone, and nobody tells which container it was in`,
	};
}

/** Two names that differ stay different: one that had to be rewritten ends with digits of the container's own id. */
function namesOf({ id, name, image }: Container): { readonly containerName: string; readonly image: string } {
	const safe = sanitize(name);
	return { containerName: safe === name ? safe : `${safe}-${id.slice(0, 12)}`, image: sanitize(image) };
}

function safePlace({ cgroup, unit, container, pod, machine }: CgroupPlace): CgroupPlace {
	return {
		...(cgroup !== undefined && { cgroup: sanitize(cgroup, MAX_PATH_LENGTH) }),
		...(unit !== undefined && { unit: sanitize(unit) }),
		...(container !== undefined && { container }),
		...(pod !== undefined && { pod }),
		...(machine !== undefined && { machine: sanitize(machine) }),
	};
}
