import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { assignSlots, type FoundSlot, type Slot, type SlotPolicy } from "../../../../src/proxies/haproxy/slots.js";
import { backend } from "../../../desired.js";

const POLICY: SlotPolicy = { min: 4, growth: 2, dynamic: false };
const backends = (...hosts: number[]) => hosts.map((host) => backend("web", `10.0.0.${host}`));
const shown = (slots: readonly Slot[]) => slots.map(({ name, backend: of }) => `${name}=${of?.address.slice(7) ?? ""}`);
const found = (slots: readonly Slot[]): FoundSlot[] =>
	slots.map(({ name, backend: of }) => ({ name, id: of?.id, inUse: of !== undefined }));

describe("slots", () => {
	test("are there before anybody needs them", () => {
		expect(shown(assignSlots([], [], POLICY))).toEqual(["s1=", "s2=", "s3=", "s4="]);
	});

	test("are taken in order, and kept", () => {
		const first = assignSlots([], backends(1, 2), POLICY);
		expect(shown(first)).toEqual(["s1=1", "s2=2", "s3=", "s4="]);
		expect(shown(assignSlots(found(first), backends(2, 3), POLICY))).toEqual(["s1=", "s2=2", "s3=3", "s4="]);
	});

	test("are given to whoever had them last, else to nobody's first", () => {
		const before = [
			{ name: "s1", id: "10.0.0.1:80", inUse: false },
			{ name: "s2", id: undefined, inUse: false },
		];
		expect(shown(assignSlots(before, backends(1, 2), { ...POLICY, min: 2 }))).toEqual(["s1=1", "s2=2", "s3=", "s4="]);
		expect(shown(assignSlots(before, backends(3), { ...POLICY, min: 2 }))).toEqual(["s1=", "s2=3", "s3=", "s4="]);
	});

	test("with one address twice go to the one that serves", () => {
		const before = ["s1", "s2"].map((name) => ({ name, id: "10.0.0.1:80", inUse: name === "s2" }));
		expect(shown(assignSlots(before, backends(1), { ...POLICY, min: 2 }))).toEqual(["s1=", "s2=1", "s3=", "s4="]);
	});

	test("grow before the last one is taken", () => {
		const sizes = [1, 2, 3, 4, 7, 8].map((count) => {
			const hosts = Array.from({ length: count }, (_, index) => index + 1);
			return assignSlots(found(assignSlots([], [], POLICY)), backends(...hosts), POLICY).length;
		});
		expect(sizes).toEqual([4, 4, 8, 8, 14, 16]);
	});

	test("of servers that can be added at run time do not grow ahead, and shrink when most are free", () => {
		const policy = { ...POLICY, dynamic: true };
		const many = assignSlots([], backends(1, 2, 3, 4, 5, 6, 7, 8, 9), policy);
		expect(many).toHaveLength(9);
		const few = assignSlots(found(many), backends(2), policy);
		expect(shown(few)).toEqual(["s1=", "s2=2", "s3=", "s4="]);
		expect(shown(assignSlots(found(many), backends(9), policy))).toEqual(["s1=", "s2=", "s3=", "s9=9"]);
	});

	test("that somebody else named are left alone", () => {
		const own = [{ name: "mine", id: "10.0.0.1:80", inUse: true }];
		expect(shown(assignSlots(own, backends(1), POLICY))).toEqual(["s1=1", "s2=", "s3=", "s4="]);
	});
});

describe("for any slots found and any backends", () => {
	const host = fc.integer({ min: 1, max: 30 });
	const policies = fc.record({
		min: fc.integer({ min: 1, max: 12 }),
		growth: fc.constantFrom(1.1, 1.5, 2, 3),
		dynamic: fc.boolean(),
	});
	const founds = fc.uniqueArray(
		fc.record({
			name: fc.oneof(
				fc.integer({ min: 1, max: 40 }).map((number) => `s${number}`),
				fc.constantFrom("mine", "s0", "s01"),
			),
			id: fc.option(
				host.map((at) => `10.0.0.${at}:80`),
				{ nil: undefined },
			),
			inUse: fc.boolean(),
		}),
		{ selector: ({ name }) => name, maxLength: 20 },
	);
	const sets = fc.uniqueArray(host, { maxLength: 20 }).map((hosts) => backends(...hosts));

	test("each backend has exactly one slot, names are unique, and the same again gives the same", () => {
		fc.assert(
			fc.property(founds, sets, policies, (before, set, policy) => {
				const slots = assignSlots(before, set, policy);
				const ids = slots.flatMap(({ backend: of }) => of?.id ?? []);
				expect([...ids].sort()).toEqual(set.map(({ id }) => id).sort());
				expect(new Set(slots.map(({ name }) => name)).size).toBe(slots.length);
				expect(slots.length).toBeGreaterThanOrEqual(policy.min);
				if (!policy.dynamic) expect(slots.length).toBeGreaterThan(set.length);
				expect(assignSlots(found(slots), set, policy)).toEqual(slots);
			}),
		);
	});

	test("nobody moves who has a slot", () => {
		fc.assert(
			fc.property(sets, sets, policies, (first, then, policy) => {
				const before = assignSlots([], first, policy);
				const after = assignSlots(found(before), then, policy);
				const nameOf = (slots: readonly Slot[], id: string) => slots.find(({ backend: of }) => of?.id === id)?.name;
				for (const { id } of then) {
					const had = nameOf(before, id);
					if (had !== undefined) expect(nameOf(after, id)).toBe(had);
				}
			}),
		);
	});
});
