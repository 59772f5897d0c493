import fc from "fast-check";
import { expect, test } from "vitest";
import type { OfferKey } from "../../../../src/fleet/offer.js";
import { createUntold } from "../../../../src/fleet/redis/untold.js";
import { type Delta, writeOffer } from "../../../../src/fleet/redis/wire.js";
import { offerOf, put, take } from "../../../registry-contract.js";

const port = fc.integer({ min: 1, max: 5 });
const step = fc.oneof(
	{ weight: 4, arbitrary: fc.record({ op: fc.constant("put"), port, weight: fc.integer({ min: 1, max: 3 }) }) },
	{ weight: 3, arbitrary: fc.record({ op: fc.constant("take"), port }) },
	{ weight: 3, arbitrary: fc.record({ op: fc.constantFrom("send", "arrives", "is lost") }) },
	{ weight: 1, arbitrary: fc.record({ op: fc.constantFrom("settle", "claim") }) },
);
type Step = { readonly op: string; readonly port?: number; readonly weight?: number };

/** What the registry has, and one change at most on its way to it. */
function play(steps: readonly Step[], earlier: ReadonlyMap<OfferKey, string>) {
	const untold = createUntold();
	const wanted = new Map<OfferKey, string>();
	/** What an earlier run offered and this one said nothing of. */
	const left = new Set(earlier.keys());
	let registry = new Map(earlier);
	let sent: Delta | undefined;
	untold.has(registry);

	const arrive = () => {
		if (sent === undefined) return;
		for (const [key, text] of sent.put) registry.set(key, text);
		for (const key of sent.taken.keys()) registry.delete(key);
		untold.told(sent);
		sent = undefined;
	};
	for (const { op, port = 0, weight = 0 } of steps) {
		const { key, offer } = put(port, weight);
		if (op === "put") {
			untold.change([put(port, weight)]);
			wanted.set(key, writeOffer(offer));
			left.delete(key);
		} else if (op === "take") {
			untold.change([take(port)]);
			wanted.delete(key);
			left.delete(key);
		} else if (op === "settle") {
			untold.settle();
			left.clear();
		} else if (op === "send") sent ??= untold.delta();
		else if (op === "arrives") arrive();
		else if (op === "is lost") sent = undefined;
		else if (sent === undefined) {
			registry = untold.all();
			untold.has(registry);
		}
	}
	arrive();
	return { untold, wanted, left, registry: () => registry, send: () => (sent = untold.delta()), arrive };
}

const sorted = (map: ReadonlyMap<string, string>) => [...map].sort(([a], [b]) => (a < b ? -1 : 1));
const earlier = new Map([1, 2].map((one) => [put(one).key, writeOffer(offerOf(one, 9))]));

test("whatever was lost on its way, the registry comes to have what is offered, and what was not settled yet", () => {
	fc.assert(
		fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
			const { untold, wanted, left, registry, send, arrive } = play(steps, earlier);
			const isPending = untold.isPending;
			if (send() !== undefined) expect(isPending).toBe(true);
			arrive();
			expect(untold.delta()).toBeUndefined();
			expect(untold.isPending).toBe(false);
			const carried = [...earlier].filter(([key]) => left.has(key));
			expect(sorted(registry())).toEqual(sorted(new Map([...carried, ...wanted])));
			expect(sorted(untold.all())).toEqual(sorted(registry()));
			expect(untold.offers).toBe(registry().size);
		}),
	);
});

test("what closed is told as closed, also when it was on its way", () => {
	const untold = createUntold();
	untold.change([put(80)]);
	const first = untold.delta();
	untold.change([take(80, "closed")]);
	if (first === undefined) throw new Error("nothing to tell");
	untold.told(first);
	expect([...(untold.delta()?.taken ?? [])]).toEqual([[put(80).key, "closed"]]);
});

test("what comes and goes before anybody was told is told to nobody", () => {
	const untold = createUntold();
	untold.change([put(80), take(80)]);
	expect(untold.delta()).toBeUndefined();
	expect(untold.isPending).toBe(false);
});

test("what an earlier version left, and nobody can read, goes", () => {
	const untold = createUntold();
	untold.has(new Map([["web|10.0.0.1:80", '{"v":0}']]));
	expect([...(untold.delta()?.taken.keys() ?? [])]).toEqual(["web|10.0.0.1:80"]);
});
