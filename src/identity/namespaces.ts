/**
 * Where a network namespace can be looked into: finds a process that is in it and reads the addresses there. The
 * namespace is that of a *socket*; the process that listens may be in another, or gone.
 */

import { networkInterfaces } from "node:os";
import { isDeepStrictEqual } from "node:util";
import { messageOf } from "../errors.js";
import type { Listener } from "../listeners/event.js";
import type { NetnsKey } from "../listeners/ids.js";
import { globalAddresses, namespaceAddresses } from "./addresses.js";
import type { Addresses } from "./identity.js";
import type { Procfs } from "./procfs.js";
import { createRecent } from "./recent.js";
import { isStillThere } from "./reporter.js";

export interface Namespaces {
	/**
	 * The addresses of the namespace of the listener's socket, at most 50 ms old; the same value again as long as they do
	 * not change. Never throws.
	 */
	addressesOf(listener: Listener): Addresses;
	/** What was read until now is not fresh any more. */
	expire(): void;
}

export interface NamespacesOptions {
	readonly procfs: Procfs;
	/** Milliseconds of a clock that does not jump. */
	readonly now: () => number;
	/** The interfaces of our own namespace; for tests. */
	readonly interfaces?: typeof networkInterfaces;
}

/** A burst of listeners in one namespace is answered from one read. */
const FRESH_MS = 50;

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
	last?: { readonly addresses: Addresses; readonly atMs: number; readonly era: number };
}

/** One process of each namespace: by inode number where that may be read, else by tag. */
interface Walk {
	readonly atMs: number;
	readonly byInode: ReadonlyMap<number, number>;
	readonly byTag: ReadonlyMap<number, number>;
}

export function createNamespaces({ procfs, now, interfaces = networkInterfaces }: NamespacesOptions): Namespaces {
	const namespaces = createRecent<NetnsKey, Namespace>(MAX_NAMESPACES);
	/** How often all was let expire. */
	let era = 0;
	let own: number | undefined;
	const isOwn = ({ inode }: Namespace) => {
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

	const readFrom = (namespace: Namespace, pid: number, reporter?: Listener): Addresses | undefined => {
		const tag = tagOfMember(namespace, pid, reporter);
		const fibTrie = tag === undefined ? undefined : procfs.readFibTrie(pid);
		if (tag === undefined || fibTrie === undefined) return undefined;
		namespace.tag = tag;
		namespace.members = [pid, ...namespace.members.filter((other) => other !== pid)].slice(0, MAX_MEMBERS);
		return namespaceAddresses(fibTrie, procfs.readIfInet6(pid) ?? "");
	};

	const look = (namespace: Namespace, listener: Listener): Addresses => {
		if (isOwn(namespace)) return ownAddresses(interfaces);
		const { pid } = listener;
		const reporter = listener.taskNetnsInode === listener.netnsInode ? listener : undefined;
		for (const candidate of reporter === undefined ? namespace.members : [pid, ...namespace.members]) {
			const addresses = readFrom(namespace, candidate, reporter);
			if (addresses !== undefined) return addresses;
		}
		if (now() - walk.atMs >= WALK_MS) walk = walkProcesses(procfs, now());
		const found = walk.byInode.get(namespace.inode) ?? walk.byTag.get(namespace.tag ?? Number.NaN);
		const addresses = found === undefined ? undefined : readFrom(namespace, found);
		const where = `network namespace ${namespace.inode}`;
		const why = `no process in ${where} can be read (process ${pid}, which listened, is gone or elsewhere)`;
		return addresses ?? { state: "unknown", why };
	};

	return {
		addressesOf(listener) {
			const remembered = namespaces.get(listener.netns);
			const namespace = remembered ?? { inode: listener.netnsInode, members: [] };
			if (remembered === undefined) namespaces.set(listener.netns, namespace);
			const { last } = namespace;
			const isFresh = last?.era === era && now() - last.atMs < FRESH_MS;
			if (isFresh && last.addresses.state === "known") return last.addresses;
			const looked = look(namespace, listener);
			// Unknown is not absent: what was known of this namespace holds until a look says otherwise.
			const keeps = looked.state === "unknown" && last?.addresses.state === "known";
			const isSame = last !== undefined && isDeepStrictEqual(looked, last.addresses);
			const addresses = keeps || isSame ? last.addresses : looked;
			namespace.last = { addresses, atMs: now(), era };
			return addresses;
		},
		expire() {
			era += 1;
		},
	};
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

/** Asked of the system: the host's `fib_trie` may hold a full routing table. */
function ownAddresses(interfaces: typeof networkInterfaces): Addresses {
	try {
		return globalAddresses(Object.values(interfaces()).flatMap((one) => (one ?? []).map(({ address }) => address)));
	} catch (error) {
		return { state: "unknown", why: `this host's interfaces can't be read: ${messageOf(error)}` };
	}
}
