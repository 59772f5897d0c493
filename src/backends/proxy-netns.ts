/**
 * In which network namespaces the proxies run, as far as the rules are concerned: where a service is seen from, and
 * which listeners are the proxies' own. Pure; namespaces are compared by what the configuration calls them.
 */

import type { Config, ProxyConfig } from "../config/schema.js";
import type { Identity } from "../identity/identity.js";

/** As in the configuration: a name under `/run/netns`, an inode number, or `host`. */
export type ProxyNetns = ProxyConfig["netns"];

/** What of a proxy says where it runs, and which services it serves. */
export type ProxyPlace = Pick<ProxyConfig, "type" | "netns" | "services">;

/** Who listens, and whether in the host's own network namespace. */
export type Candidate = Identity & { readonly isHost: boolean };

/** The word for the host's namespace; no other namespace has this name. */
export const HOST = "host";

/** The command name of each type of proxy; a file's reader may be any program. */
const PROGRAMS = { haproxy: "haproxy", nginx: "nginx", file: undefined } as const;

/**
 * Programs that keep a port of the host taken for a container: they accept whether anybody listens in there or not. As the
 * kernel names them: where the processor has AVX2, pasta runs as another file.
 */
const PORT_PROXIES = new Set([
	// Docker's port proxy; newer engines call listen() themselves and hand it the socket.
	"docker-proxy",
	"dockerd",
	// Podman takes a published port, and its monitor keeps it.
	"podman",
	"conmon",
	// Without root.
	"rootlesskit",
	"rootlessport",
	"slirp4netns",
	"pasta",
	"pasta.avx2",
	"passt.avx2",
]);

/** Programs that pass connections on, and are no application on the host whether a proxy is configured or not. */
const HOST_PROGRAMS = new Set(["haproxy", ...PORT_PROXIES]);

/** Whether it listens for a container, and says nothing of what listens in there. */
export function isPortProxy({ isHost, comm }: Candidate): boolean {
	return isHost && PORT_PROXIES.has(comm);
}

/** Where a service is seen from: the namespace of the first proxy that serves it; the host's when none does. */
export function netnsOfService(service: string, proxies: readonly ProxyPlace[]): ProxyNetns {
	return proxies.find(({ services }) => services?.includes(service) ?? true)?.netns ?? HOST;
}

/** Whether a listener is in the namespace that a proxy's configuration names. */
export function isIn(netns: ProxyNetns, { isHost, netnsName, netnsInode }: Candidate): boolean {
	if (netns === HOST) return isHost;
	return typeof netns === "number" ? netns === netnsInode : netns === netnsName;
}

/** A test for the proxies' own listeners, and those of engines on the host: where it runs, in words, if it is one. */
export function proxyFinder({ proxies }: Pick<Config, "proxies">): (who: Candidate) => string | undefined {
	const places = proxies.map(({ type, netns }) => ({ comm: PROGRAMS[type], netns }));
	return (who) => {
		if (who.isHost && HOST_PROGRAMS.has(who.comm)) return "on the host";
		const own = places.find(({ comm, netns }) => comm === who.comm && isIn(netns, who));
		if (own === undefined) return undefined;
		return who.isHost ? "on the host" : `in netns ${own.netns}`;
	};
}
