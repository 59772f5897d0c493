import fc from "fast-check";
import { expect, test } from "vitest";
import type { Offer } from "../../../../src/fleet/offer.js";
import { createTexts } from "../../../../src/fleet/redis/texts.js";
import { readOffer, writeOffer } from "../../../../src/fleet/redis/wire.js";

const KEY = "web|10.0.0.1:80";

const safe = fc.stringMatching(/^[A-Za-z0-9_.:@/-]{0,256}$/);
const identity = fc.record(
	{
		comm: safe,
		hostname: safe,
		unit: safe,
		container: safe,
		pod: safe,
		machine: safe,
		containerName: safe,
		image: safe,
		netnsInode: fc.constant(0 as const),
	},
	{ requiredKeys: ["comm", "hostname", "netnsInode"] },
);
const offer: fc.Arbitrary<Offer> = fc.record(
	{
		service: fc.constant("web"),
		address: fc.constant("10.0.0.1"),
		port: fc.constant(80),
		weight: fc.integer({ min: 0, max: 256 }),
		told: fc.record({ signal: fc.constantFrom("SIGTERM", "SIGINT"), atNs: fc.integer({ min: 0 }) }),
		held: fc.constantFrom("drain", "down"),
		stuck: fc.constant({ kind: "paused", by: "freezer", pid: 1 } as const),
		identity,
	},
	{ requiredKeys: ["service", "address", "port", "weight", "identity"] },
);
/** Values that fit nowhere in an offer, but for `v`. */
const misfit = fc.constantFrom(null, true, -1, 1.5, 257, "a b", '"', "x".repeat(257), "ä", {}, [], [1]);

test("what was written is read as it was, also where texts are shared", () => {
	const sameText = createTexts();
	fc.assert(
		fc.property(offer, (one) => {
			expect(readOffer(KEY, writeOffer(one), sameText)).toEqual({ ok: true, value: one });
			expect(readOffer(KEY, writeOffer(one))).toEqual({ ok: true, value: one });
		}),
	);
});

test("whatever field does not fit: the offer is not taken, and the reason names the field", () => {
	const place = fc.constantFrom("v", "weight", "told", "stuck", "held", "identity", "identity.comm", "identity.image");
	fc.assert(
		fc.property(offer, place, fc.option(misfit, { nil: undefined }), (one, path, value) => {
			const isOptional = ["told", "stuck", "held", "identity.image"].includes(path);
			fc.pre(value !== undefined || !isOptional);
			const written: unknown = JSON.parse(writeOffer(one));
			const [outer = "", inner] = path.split(".");
			const changed = replaced(
				written,
				outer,
				inner === undefined ? value : replaced(field(written, outer), inner, value),
			);
			const read = readOffer(KEY, JSON.stringify(changed));
			expect(read).toMatchObject({ ok: false, why: expect.stringContaining(path) });
		}),
	);
});

test("what nobody knows is left out", () => {
	const text = JSON.stringify({ v: 1, weight: 1, identity: { comm: "a", hostname: "b", more: { c: 1 } }, other: [] });
	expect(readOffer(KEY, text)).toEqual({
		ok: true,
		value: { ...place, weight: 1, identity: { comm: "a", hostname: "b", netnsInode: 0 } },
	});
});

const place = { service: "web", address: "10.0.0.1", port: 80 };

const field = (record: unknown, name: string): unknown =>
	Object.entries(record ?? {}).find(([key]) => key === name)?.[1];
const replaced = (record: unknown, name: string, value: unknown): unknown =>
	Object.fromEntries([...Object.entries(record ?? {}).filter(([key]) => key !== name), [name, value]]);
