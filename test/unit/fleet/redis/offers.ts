/** Offers and words of hosts for tests, as they are written in Redis. */

import type { Offer, OfferKey } from "../../../../src/fleet/offer.js";
import { type About, writeAbout, writeOffer } from "../../../../src/fleet/redis/wire.js";

export const LEASE = 10_000;

export const keyOf = (number: number): OfferKey => `web|10.0.0.${number}:80`;

export const offerOf = (number: number, weight = 100): Offer => ({
	service: "web",
	address: `10.0.0.${number}`,
	port: 80,
	weight,
	identity: { comm: "app", hostname: "web-1", netnsInode: 0 },
});

export const offerText = (number: number, weight = 100): string => writeOffer(offerOf(number, weight));

export const aboutText = (rest: Partial<About> = {}): string =>
	writeAbout({ version: "0.1.0", lease: LEASE, draining: false, services: [], ...rest });
