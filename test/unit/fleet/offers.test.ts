import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Offer, OfferKey } from "../../../src/fleet/offer.js";
import { createOffers, type Offered, offerKey } from "../../../src/fleet/offers.js";
import { endpointKey, type NetnsKey, netnsKey } from "../../../src/listeners/ids.js";

const offer = (address: string, rest: Partial<Offer> = {}): Offer => ({
	service: "web",
	address,
	port: 80,
	weight: 100,
	identity: { comm: "nginx", hostname: "web", netnsInode: 0 },
	...rest,
});
const BLUE = netnsKey("1");
const GREEN = netnsKey("2");
const at = (n: number) => endpointKey(BLUE, `10.0.0.${n}`, 80);
const as = (one: Offer, netns: NetnsKey = BLUE): Offered => ({ netns, offer: one });
const told = (atNs: number) => ({ told: { signal: "SIGTERM", atNs } });

describe("what a host offers", () => {
	test("is told once, and again when it changes", () => {
		const offers = createOffers();
		offers.set(at(1), [as(offer("10.0.0.1"))], "withdrawn");
		expect(offers.changes()).toEqual([{ kind: "put", key: "web|10.0.0.1:80", offer: offer("10.0.0.1") }]);
		offers.set(at(1), [as(offer("10.0.0.1"))], "withdrawn");
		expect(offers.changes()).toEqual([]);
		offers.set(at(1), [as(offer("10.0.0.1", told(1)))], "withdrawn");
		expect(offers.changes()).toMatchObject([{ kind: "put", offer: told(1) }]);
	});

	test.each(["closed", "withdrawn"] as const)("is taken when its last endpoint is %s", (why) => {
		const offers = createOffers();
		for (const n of [1, 2]) offers.set(at(n), [as(offer("10.0.0.1"))], "withdrawn");
		offers.changes();
		offers.set(at(1), [], why);
		expect(offers.changes()).toEqual([]);
		offers.set(at(2), [], why);
		expect(offers.changes()).toEqual([{ kind: "take", key: "web|10.0.0.1:80", why }]);
		expect(offers.all()).toEqual([]);
	});

	test("is told to stop once all that lead there are", () => {
		const offers = createOffers();
		offers.set(at(1), [as(offer("10.0.0.1", told(5)))], "withdrawn");
		offers.set(at(2), [as(offer("10.0.0.1"))], "withdrawn");
		expect(offers.changes()).toMatchObject([{ offer: expect.not.objectContaining({ told: expect.anything() }) }]);
		offers.set(at(2), [as(offer("10.0.0.1", told(3)))], "withdrawn");
		expect(offers.changes()).toMatchObject([{ offer: told(5) }]);
	});

	test("is nothing where two namespaces have the place", () => {
		const offers = createOffers();
		offers.set(at(1), [as(offer("10.0.0.1"))], "withdrawn");
		offers.changes();
		offers.set(at(2), [as(offer("10.0.0.1"), GREEN)], "withdrawn");
		expect(offers.changes()).toEqual([{ kind: "take", key: "web|10.0.0.1:80", why: "withdrawn" }]);
		offers.set(at(1), [], "closed");
		expect(offers.changes()).toMatchObject([{ kind: "put" }]);
	});

	test("whatever changes, and whenever it is asked: who follows knows all of it, and each change is one", () => {
		const step = fc.record({
			endpoint: fc.integer({ min: 1, max: 4 }),
			places: fc.uniqueArray(fc.integer({ min: 1, max: 3 })),
			netns: fc.constantFrom(BLUE, GREEN),
			told: fc.boolean(),
			asks: fc.boolean(),
		});
		fc.assert(
			fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
				const offers = createOffers();
				const followed = new Map<OfferKey, Offer>();
				const by = new Map<number, readonly Offered[]>();
				const follow = () => {
					for (const change of offers.changes()) {
						if (change.kind === "take") expect(followed.delete(change.key)).toBe(true);
						else {
							expect(followed.get(change.key)).not.toEqual(change.offer);
							followed.set(change.key, change.offer);
						}
					}
				};
				for (const { endpoint, places, netns, told: isTold, asks } of steps) {
					const offered = places.map((n) => as(offer(`10.0.0.${n}`, isTold ? told(1) : {}), netns));
					by.set(endpoint, offered);
					offers.set(at(endpoint), offered, "withdrawn");
					if (asks) follow();
				}
				follow();
				const places = new Map<OfferKey, Offered[]>();
				for (const one of [...by.values()].flat()) {
					places.set(offerKey(one.offer), [...(places.get(offerKey(one.offer)) ?? []), one]);
				}
				const expected = [...places].filter(([, all]) => new Set(all.map((one) => one.netns)).size === 1);
				expect([...followed.keys()].sort()).toEqual(expected.map(([key]) => key).sort());
				for (const [key, all] of expected) {
					expect(followed.get(key)?.told !== undefined).toBe(all.every((one) => one.offer.told !== undefined));
				}
				expect(new Map(offers.all().map((one) => [one.key, one.kind === "put" && one.offer]))).toEqual(followed);
			}),
		);
	});
});
