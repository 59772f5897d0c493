/**
 * The routes of the network namespaces in which proxies run, as they are now: who can be asked for them, and how often.
 * Knows nothing of proxies, nor of what the texts say.
 */

import type { Freshness, Moment } from "./fresh.js";
import type { Namespaces } from "./namespaces.js";
import type { NetnsNames } from "./netns-names.js";
import { MAX_READ_BYTES, type Procfs } from "./procfs.js";
import { type ParsedRoutes, parseRoutes, type Routes, type RouteTexts, UNKNOWN_ROUTES } from "./routes.js";

export interface Routing {
	/**
	 * The routes of a namespace, at most 50 ms old; the same value again as long as they do not change. What was known
	 * holds while nobody can be asked. Never throws.
	 *
	 * @param netns `host`, a name under `/run/netns`, or an inode number
	 */
	routesOf(netns: string | number): Routes;
}

export interface RoutingOptions {
	readonly procfs: Pick<Procfs, "readRoute" | "readIpv6Route">;
	readonly names: Pick<NetnsNames, "inodeOf">;
	readonly namespaces: Pick<Namespaces, "lookInto">;
	readonly fresh: Freshness;
}

interface Known {
	readonly moment: Moment;
	readonly texts: RouteTexts | undefined;
	readonly routes: ParsedRoutes;
}

export function createRouting({ procfs, names, namespaces, fresh }: RoutingOptions): Routing {
	const known = new Map<string | number, Known>();

	const read = (pid: number | "self"): RouteTexts | undefined => {
		const [ipv4, ipv6] = [procfs.readRoute(pid), procfs.readIpv6Route(pid)];
		return ipv4 === undefined && ipv6 === undefined ? undefined : { ipv4: whole(ipv4), ipv6: whole(ipv6) };
	};

	const look = (netns: string | number, last: Known | undefined): Omit<Known, "moment"> => {
		const inode = typeof netns === "number" ? netns : names.inodeOf(netns);
		const texts = inode === undefined ? undefined : namespaces.lookInto(inode, read);
		if (texts === undefined) return last ?? { texts, routes: UNKNOWN_ROUTES };
		if (last?.texts !== undefined && texts.ipv4 === last.texts.ipv4 && texts.ipv6 === last.texts.ipv6) return last;
		const routes = parseRoutes(texts);
		return { texts, routes: routes.essence === last?.routes.essence ? last.routes : routes };
	};

	return {
		routesOf(netns) {
			const last = known.get(netns);
			if (last !== undefined && fresh.isFresh(last.moment)) return last.routes;
			const { texts, routes } = look(netns, last);
			known.set(netns, { texts, routes, moment: fresh.moment() });
			return routes;
		},
	};
}

/** A table that was cut off says nothing of what is missing. */
function whole(text: string | undefined): string | undefined {
	return text === undefined || text.length >= MAX_READ_BYTES ? undefined : text;
}
