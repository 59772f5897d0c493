/** A listener as `--json` shows it; a stable format, documented in docs/commands.md. */

import type { Verdict } from "./backends/judge.js";
import type { Addresses, Identity } from "./identity/identity.js";
import type { JudgedListener } from "./judged.js";
import type { Listener, PausedBy } from "./listeners/event.js";

/** 64-bit numbers are strings; what is not known is absent. */
export interface ListenerJson {
	readonly netns: number;
	readonly netnsCookie: string;
	readonly netnsName?: string;
	readonly socket: string;
	readonly family: "ipv4" | "ipv6";
	readonly address: string;
	readonly port: number;
	readonly protocol: "tcp" | "mptcp";
	readonly backlog: number;
	readonly pid: number;
	readonly comm: string;
	readonly hostname: string;
	readonly container?: string;
	/** As the container engine says, where one is asked. */
	readonly containerName?: string;
	readonly image?: string;
	readonly cgroup?: string;
	readonly unit?: string;
	readonly pod?: string;
	readonly machine?: string;
}

export function listenerJson(listener: Listener, identity: Identity): ListenerJson {
	const { netnsName, container, containerName, image, cgroup, unit, pod, machine } = identity;
	return {
		netns: listener.netnsInode,
		netnsCookie: listener.netns,
		...(netnsName !== undefined && { netnsName }),
		socket: listener.socket,
		family: listener.family,
		address: listener.address,
		port: listener.port,
		protocol: listener.protocol,
		backlog: listener.backlog,
		pid: listener.pid,
		comm: listener.comm,
		hostname: listener.hostname,
		...(container !== undefined && { container }),
		...(containerName !== undefined && { containerName }),
		...(image !== undefined && { image }),
		...(cgroup !== undefined && { cgroup }),
		...(unit !== undefined && { unit }),
		...(pod !== undefined && { pod }),
		...(machine !== undefined && { machine }),
	};
}

/** An endpoint with its verdict, as in `ls --json`: who serves it longest, and all its sockets. */
export interface EndpointJson extends ListenerJson {
	/** Cookies. */
	readonly sockets: readonly string[];
	readonly addresses: Addresses;
	/** What keeps all its processes from running. */
	readonly paused?: PausedBy;
	/** Set while it accepts none of the connections that wait. */
	readonly hung?: { readonly queued: number };
	readonly verdict: Verdict;
	/** Why other hosts do not reach it; absent where they do, where it is in no service, and where none are told. */
	readonly notRoutable?: string;
}

export function endpointJson({ endpoint, resolved, verdict, elsewhere }: JudgedListener): EndpointJson {
	return {
		...listenerJson(endpoint.sockets[0], resolved.identity),
		sockets: endpoint.sockets.map(({ socket }) => socket),
		addresses: resolved.addresses,
		...(endpoint.paused !== undefined && { paused: endpoint.paused.by }),
		...(endpoint.hung !== undefined && { hung: { queued: endpoint.hung.queued } }),
		verdict,
		...(elsewhere?.ok === false && { notRoutable: elsewhere.why }),
	};
}

/** What names it best for a person: its container or machine, else its unit, else its hostname. */
export function whoIs({ container, containerName, machine, unit, hostname }: Identity): string {
	if (container !== undefined) return `${container.slice(0, 12)} ${containerName ?? hostname}`;
	if (machine !== undefined) return machine === hostname ? machine : `${machine} ${hostname}`;
	return unit ?? hostname;
}
