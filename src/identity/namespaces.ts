/**
 * Where a network namespace can be looked into: finds a process that is in it and reads the addresses there, and knows
 * which of them another namespace has, too. The namespace is that of a *socket*; the process that listens may be in
 * another, or gone.
 */

import { networkInterfaces } from "node:os";
import { isDeepStrictEqual } from "node:util";
import { messageOf } from "../errors.js";
import type { Listener } from "../listeners/event.js";
import type { NetnsKey } from "../listeners/ids.js";
import { globalAddresses, namespaceAddresses } from "./addresses.js";
import type { Freshness, Moment } from "./fresh.js";
import type { Addresses } from "./identity.js";
import type { Procfs } from "./procfs.js";
import { createRecent } from "./recent.js";
import { isStillThere } from "./reporter.js";
import { createSharing } from "./sharing.js";

export interface Namespaces {
	/**
	 * The addresses of the namespace of the listener's socket, at most 50 ms old; the same value again as long as they do
	 * not change. Never throws.
	 */
	addressesOf(listener: Listener): Addresses;
	/** Those of them that another namespace has, too; undefined when there are none. */
	sharedOf(netns: NetnsKey): readonly string[] | undefined;
	/**
	 * Looks into a namespace by a process that is in it; `self` where it is our own. Undefined when there is none that may
	 * be looked at, or when `read` gives nothing of any.
	 */
	lookInto<T>(inode: number, read: (pid: number | "self") => T | undefined): T | undefined;
	/**
	 * Whether a service wants somebody who listens in it; at first none does. Others' addresses are in nobody's way: whoever
	 * may make a namespace of his own could else take any address out of use.
	 */
	want(netns: NetnsKey, isWanted: boolean): void;
	/** Nobody listens in it any more. */
	forget(netns: NetnsKey): void;
	/** The namespaces whose addresses changed, or became shared or unshared, since they were asked for last. */
	disturbed(): NetnsKey[];
}

export interface NamespacesOptions {
	readonly procfs: Procfs;
	/** Milliseconds of a clock that does not jump. */
	readonly now: () => number;
	readonly fresh: Freshness;
	/** The interfaces of our own namespace; for tests. */
	readonly interfaces?: typeof networkInterfaces;
}

/** At most one walk through all processes in this time. */
const WALK_MS = 1000;

/** How many namespaces are remembered, and how many processes of each. */
const MAX_NAMESPACES = 16_384;
const MAX_MEMBERS = 8;

/** What is remembered of a namespace. */
interface Namespace {
	readonly inode: number;
	/** Processes that were seen in it, the latest first. */
	members: readonly number[];
	/** Its `netTag`, once a process was known to be in it. */
	tag?: number;
	last?: Last;
}

/** What a look found last. */
interface Last {
	readonly addresses: Addresses;
	/** All of them. */
	readonly list: readonly string[];
	/** Undefined when it is to be looked at again, whatever the time. */
	readonly moment: Moment | undefined;
}

/** One process of each namespace: by inode number where that may be read, else by tag. */
interface Walk {
	readonly atMs: number;
	readonly byInode: ReadonlyMap<number, number>;
	readonly byTag: ReadonlyMap<number, number>;
}

export function createNamespaces(options: NamespacesOptions): Namespaces {
	const { procfs, now, fresh, interfaces = networkInterfaces } = options;
	const sharing = createSharing();
	const wanted = new Set<NetnsKey>();
	/** Which namespace has an inode number now: the one that came last, since numbers are used again. */
	const latest = new Map<number, NetnsKey>();
	const namespaces = createRecent<NetnsKey, Namespace>(MAX_NAMESPACES, (netns, { inode }) => {
		wanted.delete(netns);
		sharing.set(netns, []);
		if (latest.get(inode) === netns) latest.delete(inode);
	});
	let own: number | undefined;
	const isOwn = (inode: number) => {
		own ??= procfs.netnsInode("self");
		return inode === own;
	};
	let walk: Walk = { atMs: Number.NEGATIVE_INFINITY, byInode: new Map(), byTag: new Map() };

	/**
	 * The tag of a process if it is in the namespace: as its inode number says where that may be read, else as the tag
	 * says. While no tag is known, the process that the kernel reported with the socket is believed, unless it is in our
	 * own namespace: the thread that listened can be elsewhere than its process (`setns`).
	 */
	const tagOfMember = (namespace: Namespace, pid: number, reporter?: Listener): number | undefined => {
		const inode = procfs.netnsInode(pid);
		if (inode !== undefined) return inode === namespace.inode ? procfs.netTag(pid) : undefined;
		const tag = procfs.netTag(pid);
		if (namespace.tag !== undefined) return tag === namespace.tag ? tag : undefined;
		const isBelieved = reporter?.pid === pid && isStillThere(procfs, reporter) && tag !== procfs.netTag("self");
		return isBelieved ? tag : undefined;
	};

	const readFrom = <T>(
		namespace: Namespace,
		pid: number,
		read: (pid: number) => T | undefined,
		reporter?: Listener,
	): T | undefined => {
		const tag = tagOfMember(namespace, pid, reporter);
		const found = tag === undefined ? undefined : read(pid);
		if (tag === undefined || found === undefined) return undefined;
		namespace.tag = tag;
		namespace.members = [pid, ...namespace.members.filter((other) => other !== pid)].slice(0, MAX_MEMBERS);
		return found;
	};

	/** Tries the processes that are known, the reporter first, then one that a walk finds. */
	const search = <T>(
		namespace: Namespace,
		read: (pid: number) => T | undefined,
		reporter?: Listener,
	): T | undefined => {
		for (const candidate of reporter === undefined ? namespace.members : [reporter.pid, ...namespace.members]) {
			const found = readFrom(namespace, candidate, read, reporter);
			if (found !== undefined) return found;
		}
		if (now() - walk.atMs >= WALK_MS) walk = walkProcesses(procfs, now());
		const pid = walk.byInode.get(namespace.inode) ?? walk.byTag.get(namespace.tag ?? Number.NaN);
		return pid === undefined ? undefined : readFrom(namespace, pid, read);
	};

	const addressesAt = (pid: number): Addresses | undefined => {
		const fibTrie = procfs.readFibTrie(pid);
		return fibTrie === undefined ? undefined : namespaceAddresses(fibTrie, procfs.readIfInet6(pid) ?? "");
	};

	const look = (namespace: Namespace, listener: Listener): Addresses => {
		const { inode } = namespace;
		if (isOwn(inode)) return ownAddresses(interfaces);
		const reporter = listener.taskNetnsInode === listener.netnsInode ? listener : undefined;
		const who = `process ${listener.pid}, which listened, is gone or elsewhere`;
		const why = `no process in network namespace ${inode} can be read (${who})`;
		return search(namespace, addressesAt, reporter) ?? { state: "unknown", why };
	};

	const open = (netns: NetnsKey, inode: number): Namespace => {
		const namespace = { inode, members: [] };
		namespaces.set(netns, namespace);
		const before = latest.get(inode);
		if (before !== undefined) sharing.set(before, []);
		latest.set(inode, netns);
		return namespace;
	};

	return {
		addressesOf(listener) {
			const { netns, netnsInode } = listener;
			const namespace = namespaces.get(netns) ?? open(netns, netnsInode);
			const { last } = namespace;
			if (fresh.isFresh(last?.moment) && last?.addresses.state === "known") return last.addresses;
			const looked = look(namespace, listener);
			// Unknown is not absent: what was known of this namespace holds until a look says otherwise.
			const keeps = looked.state === "unknown" && last?.addresses.state === "known";
			const isSame = last !== undefined && isDeepStrictEqual(looked, last.addresses);
			const { addresses, list } = keeps || isSame ? last : { addresses: looked, list: allOf(looked) };
			namespace.last = { addresses, list, moment: fresh.moment() };
			// one that lost its number to another is gone, even if its close is still on its way
			if (latest.get(netnsInode) === netns && wanted.has(netns)) sharing.set(netns, list);
			return addresses;
		},
		sharedOf: sharing.sharedOf,
		lookInto(inode, read) {
			if (isOwn(inode)) return read("self");
			const netns = latest.get(inode);
			return search((netns && namespaces.get(netns)) ?? { inode, members: [] }, read);
		},
		want(netns, isWanted) {
			if (wanted.has(netns) === isWanted) return;
			const namespace = namespaces.get(netns);
			if (isWanted) wanted.add(netns);
			else wanted.delete(netns);
			const isThere = namespace !== undefined && latest.get(namespace.inode) === netns;
			sharing.set(netns, isWanted && isThere ? (namespace.last?.list ?? []) : []);
		},
		forget(netns) {
			wanted.delete(netns);
			sharing.set(netns, []);
			const namespace = namespaces.get(netns);
			if (namespace?.last !== undefined) namespace.last = { ...namespace.last, moment: undefined };
		},
		disturbed: sharing.disturbed,
	};
}

function allOf(addresses: Addresses): readonly string[] {
	return addresses.state === "known" ? [...addresses.ipv4, ...addresses.ipv6] : [];
}

function walkProcesses(procfs: Procfs, atMs: number): Walk {
	const byInode = new Map<number, number>();
	const byTag = new Map<number, number>();
	for (const pid of procfs.pids()) {
		const inode = procfs.netnsInode(pid);
		if (inode !== undefined) {
			byInode.set(inode, pid);
			continue;
		}
		const tag = procfs.netTag(pid);
		if (tag !== undefined) byTag.set(tag, pid);
	}
	return { atMs, byInode, byTag };
}

/** Those of our own namespace. Asked of the system: the host's `fib_trie` may hold a full routing table. */
export function ownAddresses(interfaces: typeof networkInterfaces = networkInterfaces): Addresses {
	try {
		return globalAddresses(Object.values(interfaces()).flatMap((one) => (one ?? []).map(({ address }) => address)));
	} catch (error) {
		return { state: "unknown", why: `this host's interfaces can't be read: ${messageOf(error)}` };
	}
}
