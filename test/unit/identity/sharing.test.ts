import fc from "fast-check";
import { expect, test } from "vitest";
import { createSharing } from "../../../src/identity/sharing.js";
import { type NetnsKey, netnsKey } from "../../../src/listeners/ids.js";

const [A, B, C] = [netnsKey("1"), netnsKey("2"), netnsKey("3")] as const;

test("an address of two namespaces is shared until one of them has it no more, and the other is told both times", () => {
	const sharing = createSharing();
	sharing.set(A, ["10.0.2.100", "10.0.0.2"]);
	expect([sharing.sharedOf(A), sharing.disturbed()]).toEqual([undefined, []]);
	sharing.set(B, ["10.0.2.100"]);
	expect([sharing.sharedOf(A), sharing.sharedOf(B)]).toEqual([["10.0.2.100"], ["10.0.2.100"]]);
	expect([sharing.disturbed(), sharing.disturbed()]).toEqual([[B, A], []]);
	// a third one makes no difference to the two
	sharing.set(C, ["10.0.2.100"]);
	sharing.set(C, []);
	expect(sharing.disturbed()).toEqual([]);
	sharing.set(B, []);
	expect([sharing.sharedOf(A), sharing.sharedOf(B), sharing.disturbed()]).toEqual([undefined, undefined, [A]]);
});

test("a namespace whose addresses change is told, too: not all who listen there were looked at", () => {
	const sharing = createSharing();
	sharing.set(A, ["10.0.0.2"]);
	sharing.set(A, ["10.0.0.3"]);
	expect(sharing.disturbed()).toEqual([A]);
	sharing.set(A, []);
	expect(sharing.disturbed()).toEqual([]);
});

test("what is shared is the same value as long as it is the same", () => {
	const sharing = createSharing();
	const addresses = ["10.0.0.2"];
	sharing.set(A, addresses);
	sharing.set(B, ["10.0.0.2"]);
	const before = sharing.sharedOf(A);
	sharing.set(A, addresses);
	sharing.set(C, ["10.0.0.9"]);
	expect(sharing.sharedOf(A)).toBe(before);
});

test("whatever comes and goes, all know what they share, and whoever is not told shares what it did before", () => {
	const netns = fc.constantFrom(A, B, C);
	const addresses = fc.uniqueArray(fc.constantFrom("10.0.0.1", "10.0.0.2", "fd00::1"));
	fc.assert(
		fc.property(fc.array(fc.tuple(netns, addresses), { maxLength: 20 }), (steps) => {
			const sharing = createSharing();
			const model = new Map<NetnsKey, readonly string[]>();
			const shared = (one: NetnsKey) => {
				const others = [...model].filter(([other]) => other !== one).flatMap(([, list]) => list);
				const found = model.get(one)?.filter((address) => others.includes(address)) ?? [];
				return found.length === 0 ? undefined : found;
			};
			for (const [one, list] of steps) {
				const before = new Map([A, B, C].map((each) => [each, sharing.sharedOf(each)]));
				model.set(one, list);
				sharing.set(one, list);
				const told = sharing.disturbed();
				for (const each of [A, B, C]) {
					expect(sharing.sharedOf(each)).toEqual(shared(each));
					if (each !== one && !told.includes(each)) expect(sharing.sharedOf(each)).toBe(before.get(each));
				}
			}
		}),
	);
});
