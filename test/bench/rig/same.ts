/** Whether a table says of some namespaces what the kernel says. Pure. */

import type { Listener } from "../../../src/listeners/event.js";

/** How many of the kernel's listeners the table lacks, and how many it has that are none. */
export interface Difference {
	readonly missing: number;
	readonly stale: number;
}

/**
 * @param truth what listens, as `INODE:PORT`
 * @param namespaces by inode number; what listens elsewhere is not compared
 */
export function differenceOf(
	sockets: readonly Pick<Listener, "netnsInode" | "port">[],
	truth: ReadonlySet<string>,
	namespaces: ReadonlySet<number>,
): Difference {
	const known = sockets.flatMap(({ netnsInode, port }) =>
		namespaces.has(netnsInode) ? [`${netnsInode}:${port}`] : [],
	);
	const had = new Set(known);
	return {
		missing: [...truth].filter((place) => !had.has(place)).length,
		stale: known.filter((place) => !truth.has(place)).length,
	};
}

/** The namespaces of such places. */
export const namespacesOf = (places: Iterable<string>): ReadonlySet<number> =>
	new Set([...places].map((place) => Number(place.split(":")[0])));
