/**
 * The only reader of `/proc`. Every read is synchronous (it is a copy out of kernel memory, a few microseconds),
 * bounded, and answers `undefined` when the process is gone or may not be looked at. Knows nothing of what it reads.
 */

import { closeSync, openSync, readdirSync, readlinkSync, readSync, statSync } from "node:fs";

/** More is never read of one file: the `fib_trie` of a namespace with a full routing table has tens of megabytes. */
export const MAX_READ_BYTES = 1024 * 1024;

/** The clock tick of `/proc/PID/stat`: USER_HZ, 100 in every Linux ABI that Node runs on. */
const NS_PER_TICK = 1e9 / 100;

export interface Procfs {
	/** Text of `/proc/PID/cgroup`. */
	readCgroup(pid: number): string | undefined;
	/** Text of `/proc/PID/net/fib_trie`. */
	readFibTrie(pid: number): string | undefined;
	/** Text of `/proc/PID/net/if_inet6`; undefined also where the namespace has no IPv6. */
	readIfInet6(pid: number): string | undefined;
	/** Text of `/proc/PID/net/route`: the routes of IPv4, of the main table. */
	readRoute(pid: number | "self"): string | undefined;
	/** Text of `/proc/PID/net/ipv6_route`; undefined also where the namespace has no IPv6. */
	readIpv6Route(pid: number | "self"): string | undefined;
	/** Text of `/proc/PID/net/tcp` (4) or `tcp6` (6); the kernel lists listeners first, so the bound cuts others off. */
	readTcp(pid: number, version: 4 | 6): string | undefined;
	/** When the process started, in boot-time nanoseconds, rounded down to 10 ms. */
	startedAtNs(pid: number): number | undefined;
	/**
	 * Inode number of the process's network namespace. Needs the right to trace the process: undefined without
	 * CAP_SYS_PTRACE for processes of other users.
	 */
	netnsInode(pid: number | "self"): number | undefined;
	/** Inode number of the process's pid namespace; needs the same right. */
	pidNamespace(pid: number | "self"): number | undefined;
	/**
	 * A number that is the same for two processes exactly when they share their network namespace: the inode number of
	 * `/proc/PID/net/fib_trie`, which the kernel makes once for each namespace. Needs no privilege.
	 */
	netTag(pid: number | "self"): number | undefined;
	/** All processes there are. A walk: milliseconds on a busy host. */
	pids(): number[];
}

/** @param root where procfs is mounted */
export function createProcfs(root = "/proc"): Procfs {
	return {
		readCgroup: (pid) => read(`${root}/${pid}/cgroup`),
		readFibTrie: (pid) => read(`${root}/${pid}/net/fib_trie`),
		readIfInet6: (pid) => read(`${root}/${pid}/net/if_inet6`),
		readRoute: (pid) => read(`${root}/${pid}/net/route`),
		readIpv6Route: (pid) => read(`${root}/${pid}/net/ipv6_route`),
		readTcp: (pid, version) => read(`${root}/${pid}/net/${version === 4 ? "tcp" : "tcp6"}`),
		startedAtNs: (pid) => startTime(read(`${root}/${pid}/stat`)),
		netnsInode: (pid) => namespaceOf(`${root}/${pid}/ns/net`),
		pidNamespace: (pid) => namespaceOf(`${root}/${pid}/ns/pid`),
		netTag: (pid) => attempt(() => statSync(`${root}/${pid}/net/fib_trie`, { throwIfNoEntry: false })?.ino),
		pids: () => (attempt(() => readdirSync(root)) ?? []).filter((name) => /^\d+$/.test(name)).map(Number),
	};
}

/** Shared by all reads: they are synchronous, and pages that were never written to cost no memory. */
let buffer: Buffer | undefined;

/** Latin-1, since each byte then is one character and the parsers only look for ASCII. */
function read(path: string): string | undefined {
	buffer ??= Buffer.allocUnsafeSlow(MAX_READ_BYTES);
	const target = buffer;
	return attempt(() => {
		const fd = openSync(path, "r");
		try {
			let length = 0;
			for (;;) {
				const got = readSync(fd, target, length, target.length - length, null);
				length += got;
				if (got === 0 || length === target.length) return target.toString("latin1", 0, length);
			}
		} finally {
			closeSync(fd);
		}
	});
}

/** The inode number in a link such as `net:[4026531833]`. */
function namespaceOf(link: string): number | undefined {
	const inode = /^[a-z]+:\[(\d+)\]$/.exec(attempt(() => readlinkSync(link)) ?? "")?.[1];
	return inode === undefined ? undefined : Number(inode);
}

/** Field 22 of proc_pid_stat(5). The command name before it may hold spaces and parentheses. */
function startTime(stat: string | undefined): number | undefined {
	const ticks = stat?.slice(stat.lastIndexOf(")") + 2).split(" ", 20)[19];
	return ticks === undefined || !/^\d+$/.test(ticks) ? undefined : Number(ticks) * NS_PER_TICK;
}

/** A process can go between any two calls, so every failure means the same: not there to be seen. */
function attempt<T>(call: () => T): T | undefined {
	try {
		return call();
	} catch {
		return undefined;
	}
}
