/** The order in which many endpoints are looked at. Pure; knows nothing of what a look costs. */

import type { NetnsKey } from "./ids.js";

/**
 * Those of one namespace together, else in their order: what is seen of a namespace, and of a process in it, is true for
 * a moment, and so answers for all of them.
 */
export function byNamespace<T>(things: readonly T[], netnsOf: (thing: T) => NetnsKey): T[] {
	const groups = new Map<NetnsKey, T[]>();
	for (const thing of things) {
		const netns = netnsOf(thing);
		const group = groups.get(netns);
		if (group === undefined) groups.set(netns, [thing]);
		else group.push(thing);
	}
	return [...groups.values()].flat();
}
