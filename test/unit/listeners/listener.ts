/** Listeners for tests: a plain one, changed where the test says so. */

import type { Listener, PausedBy, PauseEvent, SocketEvent, StopEvent } from "../../../src/listeners/event.js";
import { netnsKey, socketId } from "../../../src/listeners/ids.js";

export function listenerOf(socket: number, atNs: number, change: Partial<Listener> = {}): Listener {
	return {
		socket: socketId(BigInt(socket)),
		netns: netnsKey(4196n),
		netnsInode: 4_026_532_177,
		taskNetnsInode: 4_026_532_177,
		family: "ipv4",
		address: "0.0.0.0",
		port: 80,
		ipv6Only: false,
		protocol: "tcp",
		backlog: 128,
		pid: 4711,
		comm: "nginx",
		hostname: "web-1",
		pidNamespace: 4026531836,
		cgroupId: "1",
		atNs,
		...change,
	};
}

export const listen = (listener: Listener): SocketEvent => ({ kind: "listen", listener });

export const close = (listener: Listener, atNs: number): SocketEvent => ({
	kind: "close",
	listener: { ...listener, atNs },
});

/** SIGTERM to the process of a plain listener. */
export const stop = (atNs: number, change: Partial<StopEvent> = {}): StopEvent => ({
	kind: "stopping",
	signal: 15,
	pid: 4711,
	pidNamespace: 4026531836,
	isInit: false,
	comm: "nginx",
	atNs,
	...change,
});

/** A second `listen()` on a socket that listens. */
export const relisten = (listener: Listener, atNs: number, backlog: number): SocketEvent => ({
	kind: "relisten",
	listener: { ...listener, backlog, atNs },
});

/** To the process of a plain listener, or to its cgroup. */
export const pause = (
	atNs: number,
	by: PausedBy,
	kind: PauseEvent["kind"] = "paused",
	of: Partial<Pick<Listener, "pid" | "cgroupId">> = {},
): PauseEvent => {
	const { pid = 4711, cgroupId = "1" } = of;
	return { kind, whom: by === "signal" ? { by, pid } : { by, cgroupId }, atNs };
};
