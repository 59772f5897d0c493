/** What the sensor says of listening sockets, decoded: the input of the listener table. Pure. */

import type { NetnsKey, SocketId } from "./ids.js";

/** A listening socket as the kernel saw it when it entered LISTEN (or when the seed or a read found it). */
export interface Listener {
	readonly socket: SocketId;
	readonly netns: NetnsKey;
	/** Inode number of the socket's network namespace, as in `/proc/PID/ns/net`; may be reused after it is gone. */
	readonly netnsInode: number;
	/** Inode number of the namespace of the process that called `listen()`; can differ from the socket's. */
	readonly taskNetnsInode: number;
	readonly family: "ipv4" | "ipv6";
	/** The bound address; `0.0.0.0` or `::` when bound to all. */
	readonly address: string;
	/** 0 while the kernel has not yet chosen one (a `listen()` without `bind()`). */
	readonly port: number;
	/** True when an IPv6 socket does not serve IPv4 (`IPV6_V6ONLY`). */
	readonly ipv6Only: boolean;
	readonly protocol: "tcp" | "mptcp";
	readonly backlog: number;
	/** Process (thread group) that called `listen()`, in the host's pid namespace. It may be gone already. */
	readonly pid: number;
	/** Raw: may hold any byte but NUL. */
	readonly comm: string;
	/** UTS node name of that process; raw, may hold any byte but NUL. */
	readonly hostname: string;
	/** Inode number of the pid namespace that the process lives in; a container mostly has its own. */
	readonly pidNamespace: number;
	/** Id of its cgroup (v2), in decimal. */
	readonly cgroupId: string;
	/** Boot-time nanoseconds (`bpf_ktime_get_boot_ns`) of the change that this describes. */
	readonly atNs: number;
	/** What kept its process from running when a read found it; absent when nothing did, and in events. */
	readonly paused?: PausedBy;
}

/** Who keeps a process from running: the cgroup freezer (`docker pause`), or a stop signal of the job control (SIGSTOP). */
export type PausedBy = "freezer" | "signal";

/** A change of one socket, in the order of the kernel's ring buffer. */
export interface SocketEvent {
	/** `relisten`: it listened already, and `listen()` was called again; the backlog is the new one. */
	readonly kind: "listen" | "relisten" | "close";
	readonly listener: Listener;
}

/** A process, or all of a cgroup, that no longer runs, or runs again. Its sockets go on listening meanwhile. */
export interface PauseEvent {
	readonly kind: "paused" | "resumed";
	/** Who is concerned: a process (thread group) in the host's pid namespace, or all processes of a cgroup (v2, id in decimal). */
	readonly whom:
		| { readonly by: "signal"; readonly pid: number }
		| { readonly by: "freezer"; readonly cgroupId: string };
	/** Boot-time nanoseconds. */
	readonly atNs: number;
}

/**
 * A stop signal on its way to a process: delivered, and not ignored. Nothing has closed yet, and nothing need close: the
 * process may take its time, or do something else with the signal.
 */
export interface StopEvent {
	readonly kind: "stopping";
	/** Number of the signal. */
	readonly signal: number;
	/** Process (thread group) that gets it, in the host's pid namespace. */
	readonly pid: number;
	/** Inode number of the pid namespace that the process lives in. */
	readonly pidNamespace: number;
	/** Whether it is the first process of that namespace, and that is not the host's: a container's own init. */
	readonly isInit: boolean;
	/** Raw, as in {@link Listener}. */
	readonly comm: string;
	/** Boot-time nanoseconds. */
	readonly atNs: number;
}

/** Everything that the sensor tells, in the order of the kernel's ring buffer. */
export type KernelEvent = SocketEvent | StopEvent | PauseEvent;

/** Boot-time nanoseconds of an event. */
export const atNsOf = (event: KernelEvent): number => ("listener" in event ? event.listener.atNs : event.atNs);

/** A listener whose accept queue was full when it was looked at (`sk_ack_backlog` above `sk_max_ack_backlog`). */
export interface FullQueue {
	readonly socket: SocketId;
	/** Connections that wait to be accepted. */
	readonly queued: number;
	/**
	 * Identity of the first of them. The same again, at a later look, says that nothing was accepted in between: each is
	 * accepted in turn.
	 */
	readonly head: string;
}

/** The kernel's own table of listeners, read at once. */
export interface Read {
	/** Boot-time nanoseconds at which the read began, stamped in BPF. */
	readonly beganNs: number;
	/** False when the kernel's table overflowed: then absence from it means nothing. */
	readonly complete: boolean;
	readonly rows: readonly Listener[];
}
