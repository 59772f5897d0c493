/**
 * What this host offers, by service and place: folds what each endpoint is offered as into what changed for others. Several
 * endpoints may lead to one place. Pure.
 */

import { isDeepStrictEqual } from "node:util";
import { backendId, refKey } from "../backends/backend.js";
import type { EndpointKey, NetnsKey } from "../listeners/ids.js";
import type { Offer, OfferChange, OfferKey, TakenWhy } from "./offer.js";

/** What an endpoint is offered as. */
export interface Offered {
	readonly netns: NetnsKey;
	readonly offer: Offer;
}

export interface Offers {
	/** An endpoint is offered as this from now on; none: no longer, and why. */
	set(endpoint: EndpointKey, offered: readonly Offered[], why: TakenWhy): void;
	/** What it is offered as. */
	of(endpoint: EndpointKey): readonly Offered[];
	/** What changed since this was called last. */
	changes(): OfferChange[];
	/** All of it, as for somebody who knows nothing. */
	all(): OfferChange[];
}

export const offerKey = ({ service, address, port }: Offer): OfferKey =>
	refKey({ service, id: backendId(address, port) });

export function createOffers(): Offers {
	const byEndpoint = new Map<EndpointKey, readonly Offered[]>();
	const byKey = new Map<OfferKey, Map<EndpointKey, Offered>>();
	const told = new Map<OfferKey, Offer>();
	/** What is to be looked at, and why the last one went. */
	const touched = new Map<OfferKey, TakenWhy>();

	const remove = (endpoint: EndpointKey, { offer }: Offered, why: TakenWhy) => {
		const key = offerKey(offer);
		const there = byKey.get(key);
		there?.delete(endpoint);
		if (there?.size === 0) byKey.delete(key);
		touched.set(key, why);
	};

	const changeOf = (key: OfferKey, why: TakenWhy): OfferChange[] => {
		const before = told.get(key);
		const offer = together([...(byKey.get(key)?.values() ?? [])]);
		if (offer === undefined) return told.delete(key) ? [{ kind: "take", key, why }] : [];
		if (isDeepStrictEqual(before, offer)) return [];
		told.set(key, offer);
		return [{ kind: "put", key, offer }];
	};

	return {
		set(endpoint, offered, why) {
			for (const one of byEndpoint.get(endpoint) ?? []) remove(endpoint, one, why);
			if (offered.length > 0) byEndpoint.set(endpoint, offered);
			else byEndpoint.delete(endpoint);
			for (const one of offered) {
				const key = offerKey(one.offer);
				byKey.set(key, (byKey.get(key) ?? new Map<EndpointKey, Offered>()).set(endpoint, one));
				touched.set(key, "withdrawn");
			}
		},
		of: (endpoint) => byEndpoint.get(endpoint) ?? [],
		changes() {
			const changes = [...touched].flatMap(([key, why]) => changeOf(key, why));
			touched.clear();
			return changes;
		},
		all: () => [...told].map(([key, offer]) => ({ kind: "put", key, offer })),
	};
}

/**
 * What all that lead to a place come to: one that can serve is enough. Nothing where they are of several namespaces, since
 * nobody knows then which one answers.
 */
function together(all: readonly Offered[]): Offer | undefined {
	const [first, ...rest] = all;
	if (first === undefined || rest.some(({ netns }) => netns !== first.netns)) return undefined;
	if (rest.length === 0) return first.offer;
	const offers = all.map(({ offer }) => offer);
	const { told: _told, stuck: _stuck, held: _held, ...plain } = first.offer;
	const told = lastOf(offers.map((one) => one.told));
	const isStuck = offers.every(({ stuck }) => stuck !== undefined);
	const isHeld = offers.every(({ held }) => held !== undefined);
	const { stuck, held } = first.offer;
	return {
		...plain,
		...(told !== undefined && { told }),
		...(isStuck && stuck !== undefined && { stuck }),
		...(isHeld && held !== undefined && { held }),
	};
}

/** The latest, where each was told. */
function lastOf(all: readonly Offer["told"][]): Offer["told"] {
	let last: Offer["told"];
	for (const one of all) {
		if (one === undefined) return undefined;
		if (last === undefined || one.atNs > last.atNs) last = one;
	}
	return last;
}
