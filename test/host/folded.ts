/** What a registry told of other hosts, folded into what they offer. Knows nothing of registries. */

import type { OfferKey } from "../../src/fleet/offer.js";
import type { HostChange } from "../../src/fleet/registry.js";

export interface Folded {
	change(changes: readonly HostChange[]): void;
	/** Host → each place that it offers → its weight. */
	readonly hosts: ReadonlyMap<string, ReadonlyMap<OfferKey, number>>;
	/** Everybody who was told to be over, in order. */
	readonly over: readonly Extract<HostChange, { kind: "over" }>[];
}

export function createFolded(): Folded {
	const hosts = new Map<string, Map<OfferKey, number>>();
	const over: Extract<HostChange, { kind: "over" }>[] = [];

	const fold = (change: HostChange) => {
		if (change.kind === "over") {
			hosts.delete(change.host);
			over.push(change);
			return;
		}
		const { host } = change.host;
		if (change.kind === "whole") {
			hosts.set(host, new Map([...change.offers].map(([key, { weight }]) => [key, weight])));
			return;
		}
		const known = hosts.get(host);
		if (known === undefined) throw new Error(`a delta of ${host}, which nobody told of before`);
		for (const [key, { weight }] of change.put) known.set(key, weight);
		for (const key of change.taken.keys()) {
			if (!known.delete(key)) throw new Error(`${host} takes ${key}, which it did not offer`);
		}
	};

	return { change: (changes) => changes.forEach(fold), hosts, over };
}
