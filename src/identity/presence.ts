/**
 * Whether somebody listens at an address, asked of `/proc/PID/net/tcp`: the second opinion on a server that the proxy
 * has and that the seed did not find (its socket may be in flight between two processes, in no fd table at all).
 * Milliseconds for each namespace: never for a sweep.
 */

import { formatIp, isLoopback, isUnspecified, parseIp, unmapIp } from "../ip.js";
import { namespaceAddresses } from "./addresses.js";
import { hostOrderBytes } from "./host-order.js";
import { HOST_NETNS, type NetnsNames } from "./netns-names.js";
import type { Procfs } from "./procfs.js";

/**
 * `elsewhere`: no namespace of this host has the address. `unknown`: no namespace with that address may be looked into.
 * Unknown is not absent.
 */
export type Presence = "listening" | "closed" | "elsewhere" | "unknown";

/** `TCP_LISTEN`, as the fourth column of proc_pid_net_tcp(5) has it. */
const LISTEN = "0A";

/** A place to connect to. */
export interface Place {
	readonly address: string;
	readonly port: number;
	/** Whose loopback is meant where the address is one: `host`, a name under `/run/netns`, or an inode number. */
	readonly netns: string | number;
}

/** Whether a socket listens there, in any namespace that has the address. Synchronous. */
export function presenceOf(procfs: Procfs, names: Pick<NetnsNames, "nameOf">, place: Place): Presence {
	const { address, port, netns } = place;
	const ip = parseIp(address);
	if (ip === undefined) return "unknown";
	const own = procfs.netTag("self");
	/** Undefined where it can't be told. */
	const isOwner = (pid: number, tag: number): boolean | undefined => {
		if (netns === HOST_NETNS) return tag === own;
		const inode = procfs.netnsInode(pid);
		return inode === undefined ? undefined : inode === netns || names.nameOf(inode) === netns;
	};
	const seen = new Set<number>();
	const unreadable = new Set<number>();
	let isOurs = false;
	for (const pid of procfs.pids()) {
		const tag = procfs.netTag(pid);
		if (tag === undefined || seen.has(tag)) continue;
		const fibTrie = procfs.readFibTrie(pid);
		const tables = [procfs.readTcp(pid, 4), procfs.readTcp(pid, 6)];
		const isLocal = isLoopback(ip) ? isOwner(pid, tag) : false;
		if (fibTrie === undefined || isLocal === undefined || tables.every((table) => table === undefined)) {
			// gone by now, perhaps: another process of the namespace may tell
			unreadable.add(tag);
			continue;
		}
		seen.add(tag);
		const { ipv4, ipv6 } = namespaceAddresses(fibTrie, procfs.readIfInet6(pid) ?? "");
		const isThere = isLocal || ipv4.includes(address) || ipv6.includes(address);
		isOurs ||= isThere;
		if (isThere && tables.some((table) => listensAt(table ?? "", formatIp(unmapIp(ip)), port))) return "listening";
	}
	// Where processes are hidden from us, an address that nobody has may be one that we can't see.
	const hasSeenAll = seen.size > 0 && [...unreadable].every((tag) => seen.has(tag)) && procfs.netTag(1) !== undefined;
	if (!hasSeenAll) return "unknown";
	return isOurs || isLoopback(ip) ? "closed" : "elsewhere";
}

/**
 * Whether a table of sockets has a listener at the address, or at the wildcard.
 * @param table text of `/proc/PID/net/tcp` or `tcp6`
 */
export function listensAt(table: string, address: string, port: number): boolean {
	for (const line of table.split("\n")) {
		const [, local = "", , state] = line.trim().split(/\s+/);
		const [hex = "", hexPort = ""] = local.split(":");
		if (state !== LISTEN || Number.parseInt(hexPort, 16) !== port) continue;
		const bound = unmapIp(hostOrderBytes(hex));
		if (isUnspecified(bound) || formatIp(bound) === address) return true;
	}
	return false;
}
