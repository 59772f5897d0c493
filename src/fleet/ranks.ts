/**
 * Who of a host's backends comes before whom in a service, by id: where a host may have no more than so many in it, the first
 * ones are let in. Pure bookkeeping; knows no limit.
 */

import type { BackendId } from "../backends/backend.js";

export interface Ranks {
	add(service: string, id: BackendId): void;
	delete(service: string, id: BackendId): void;
	/** All of a service, in order. */
	of(service: string): readonly BackendId[];
	/** How many come before it; it need not be there. */
	rank(service: string, id: BackendId): number;
}

export function createRanks(): Ranks {
	const byService = new Map<string, BackendId[]>();
	return {
		add(service, id) {
			const ids = byService.get(service);
			if (ids === undefined) byService.set(service, [id]);
			else ids.splice(placeIn(ids, id), 0, id);
		},
		delete(service, id) {
			const ids = byService.get(service) ?? [];
			const place = placeIn(ids, id);
			if (ids[place] !== id) return;
			ids.splice(place, 1);
			if (ids.length === 0) byService.delete(service);
		},
		of: (service) => byService.get(service) ?? [],
		rank: (service, id) => placeIn(byService.get(service) ?? [], id),
	};
}

/** Where an id is among sorted ones, or belongs. */
function placeIn(ids: readonly BackendId[], id: BackendId): number {
	let low = 0;
	let high = ids.length;
	while (low < high) {
		const middle = (low + high) >> 1;
		if ((ids[middle] ?? "") < id) low = middle + 1;
		else high = middle;
	}
	return low;
}
