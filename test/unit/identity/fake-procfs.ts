/** A `/proc` in memory: processes in network namespaces, some of which may not be traced. */

import type { Procfs } from "../../../src/identity/procfs.js";

export interface FakeProcess {
	pid: number;
	/** Inode number of its network namespace. */
	netns: number;
	startedAtNs?: number;
	cgroup?: string;
	/** Inode number of its pid namespace; default: the host's. */
	pidNamespace?: number;
	/** Its namespaces may not be read. */
	hidden?: boolean;
}

export interface FakeProcfs extends Procfs {
	/** Processes that exist now; tests change it. */
	processes: FakeProcess[];
	/** IPv4 address of each namespace, by inode number. */
	readonly addresses: Map<number, string>;
	/** Text of the routes of each namespace, by inode number: IPv4, IPv6. */
	readonly routes: Map<number, readonly [string?, string?]>;
	/** How often each kind of read happened. */
	readonly reads: { fibTrie: number; cgroup: number; walks: number; routes: number };
}

const HOST_PID_NAMESPACE = 4026531836;

/** @param own inode number of the namespace that the daemon is in */
export function fakeProcfs(processes: FakeProcess[], own = 4026531833): FakeProcfs {
	const addresses = new Map<number, string>();
	const routes = new Map<number, readonly [string?, string?]>();
	const reads = { fibTrie: 0, cgroup: 0, walks: 0, routes: 0 };
	const self: FakeProcess = { pid: process.pid, netns: own };
	const fake: FakeProcfs = {
		processes,
		addresses,
		routes,
		reads,
		readCgroup(pid) {
			reads.cgroup++;
			return find(pid)?.cgroup;
		},
		readFibTrie(pid) {
			reads.fibTrie++;
			const found = find(pid);
			if (found === undefined) return undefined;
			const address = addresses.get(found.netns);
			return address === undefined ? "Main:\n" : `Main:\n  |-- ${address}\n     /32 host LOCAL\n`;
		},
		readIfInet6: () => undefined,
		readTcp: () => undefined,
		readRoute(pid) {
			reads.routes++;
			return routes.get(find(pid)?.netns ?? 0)?.[0];
		},
		readIpv6Route: (pid) => routes.get(find(pid)?.netns ?? 0)?.[1],
		startedAtNs(pid) {
			const found = find(pid);
			return found === undefined ? undefined : (found.startedAtNs ?? 0);
		},
		netnsInode(pid) {
			const found = find(pid);
			return found?.hidden === true ? undefined : found?.netns;
		},
		pidNamespace(pid) {
			const found = find(pid);
			return found === undefined || found.hidden === true ? undefined : (found.pidNamespace ?? HOST_PID_NAMESPACE);
		},
		netTag(pid) {
			const found = find(pid);
			return found === undefined ? undefined : found.netns + 1_000_000;
		},
		pids() {
			reads.walks++;
			return fake.processes.map(({ pid }) => pid);
		},
	};
	const find = (pid: number | "self") => (pid === "self" ? self : fake.processes.find((one) => one.pid === pid));
	return fake;
}
