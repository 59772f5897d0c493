/**
 * What an edge knows against a model: publishers whose entries are lost, doubled, mixed up and trimmed, and a registry that
 * is flushed, or restored from any of its earlier states.
 */

import fc from "fast-check";
import { expect, test } from "vitest";
import type { ChangeEntry } from "../../../../src/fleet/redis/entry.js";
import { createKnown } from "../../../../src/fleet/redis/known.js";
import type { HostRead } from "../../../../src/fleet/redis/looks.js";
import { createRejections } from "../../../../src/fleet/redis/rejections.js";
import { writeDelta } from "../../../../src/fleet/redis/wire.js";
import { createFolded } from "../../../host/folded.js";
import { aboutText, keyOf, LEASE, offerText } from "./offers.js";

const HOSTS = ["h1", "h2"];
const PLACES = [1, 2, 3];

interface Stored {
	readonly incarnation: number;
	readonly sequence: number;
	readonly offers: ReadonlyMap<number, number>;
}

const placesOf = ({ offers }: Stored) => new Map([...offers].map(([place, weight]) => [keyOf(place), weight]));

const sorted = (places: ReadonlyMap<string, number> | undefined) => [...(places ?? [])].sort();

const story = fc.array(
	fc.record({
		what: fc.constantFrom(
			...(["change", "change", "change", "restart", "renew", "bye", "restore", "flush"] as const),
			...(["deliver", "deliver", "deliver", "lose", "double", "mix", "trim", "read", "lease"] as const),
		),
		host: fc.constantFrom(...HOSTS),
		place: fc.constantFrom(...PLACES),
		/** 0: it goes. */
		weight: fc.integer({ min: 0, max: 3 }),
		at: fc.nat(),
	}),
	{ maxLength: 80, size: "max" },
);

function play(steps: typeof story extends fc.Arbitrary<infer T> ? T : never) {
	const known = createKnown(createRejections(() => {}));
	const folded = createFolded();
	let nowMs = 0;
	/** What each publisher has told, or believes to. */
	const truth = new Map<string, Stored>();
	const registry = new Map<string, Stored>();
	const backups: (readonly [string, Stored])[] = [];
	let stream: ChangeEntry[] = [];
	const told = new Map<string, readonly [number, number]>();
	const wrong: string[] = [];

	const store = (host: string, stored: Stored, kind: "delta" | "whole", payload = "") => {
		const before = registry.get(host);
		if (before !== undefined) backups.push([host, before]);
		truth.set(host, stored);
		registry.set(host, stored);
		const { incarnation, sequence } = stored;
		stream.push({ host, version: { incarnation, sequence }, atMs: undefined, kind, payload });
	};
	const claim = (host: string) => {
		nowMs += 1;
		const last = registry.get(host)?.incarnation ?? 0;
		const offers = truth.get(host)?.offers ?? new Map();
		store(host, { incarnation: Math.max(last + 1, nowMs), sequence: 1, offers }, "whole");
	};
	/** As each publisher does before whatever it writes: a registry that has not what it told gets all of it. */
	const renew = (host: string) => {
		const mine = truth.get(host);
		if (mine === undefined || registry.get(host) === mine) return mine !== undefined;
		claim(host);
		return false;
	};
	const note = () => {
		for (const [host, { version }] of known.hosts) {
			const [incarnation, sequence] = told.get(host) ?? [0, 0];
			if (version.incarnation < incarnation || (version.incarnation === incarnation && version.sequence < sequence)) {
				wrong.push(`${host} from ${incarnation}:${sequence} to ${version.incarnation}:${version.sequence}`);
			}
			told.set(host, [version.incarnation, version.sequence]);
			const stored = registry.get(host);
			if (stored?.incarnation !== version.incarnation || stored.sequence !== version.sequence) continue;
			if (JSON.stringify(sorted(folded.hosts.get(host))) === JSON.stringify(sorted(placesOf(stored)))) continue;
			wrong.push(`${host} at ${version.incarnation}:${version.sequence} has other offers than the registry`);
		}
	};
	const read = (host: string) => {
		const stored = registry.get(host);
		const version = known.version(host);
		let found: HostRead = { kind: "none" };
		if (stored !== undefined) {
			const { incarnation, sequence, offers } = stored;
			const isSame = version?.incarnation === incarnation && version.sequence === sequence;
			found = isSame
				? { kind: "same" }
				: {
						kind: "whole",
						isAlive: true,
						version: { incarnation, sequence },
						about: aboutText(),
						offers: [...offers].map(([place, weight]) => [keyOf(place), offerText(place, weight)]),
						tooLong: [],
					};
		}
		const change = known.read(host, found, nowMs);
		if (change !== undefined) folded.change([change]);
	};
	const take = (entry: ChangeEntry | undefined) => {
		if (entry === undefined) return;
		const change = known.entry(entry, nowMs, undefined);
		if (change === "read") read(entry.host);
		else if (change !== undefined) folded.change([change]);
	};

	for (const host of HOSTS) claim(host);
	for (const { what, host, place, weight, at } of steps) {
		const index = stream.length === 0 ? 0 : at % stream.length;
		if (what === "change" && renew(host)) {
			const { incarnation, sequence, offers } = truth.get(host) ?? { incarnation: 0, sequence: 0, offers: new Map() };
			const next = new Map(offers);
			if (weight === 0) next.delete(place);
			else next.set(place, weight);
			const put = new Map(weight === 0 ? [] : [[keyOf(place), offerText(place, weight)]]);
			const payload = writeDelta(put, new Map(weight === 0 ? [[keyOf(place), "closed"]] : []));
			store(host, { incarnation, sequence: sequence + 1, offers: next }, "delta", payload);
		} else if (what === "restart") {
			claim(host);
		} else if (what === "renew") {
			renew(host);
		} else if (what === "bye" && renew(host)) {
			const { incarnation, sequence } = truth.get(host) ?? { incarnation: 0, sequence: 0 };
			stream.push({
				host,
				version: { incarnation, sequence: sequence + 1 },
				atMs: undefined,
				kind: "bye",
				payload: "",
			});
			registry.delete(host);
			truth.delete(host);
		} else if (what === "restore") {
			const [whose, stored] = backups[at % Math.max(1, backups.length)] ?? [];
			if (whose !== undefined && stored !== undefined && truth.has(whose)) registry.set(whose, stored);
		} else if (what === "flush") {
			registry.clear();
			stream = [];
		} else if (what === "deliver") {
			take(stream.shift());
		} else if (what === "lose") {
			stream.splice(index, 1);
		} else if (what === "double") {
			take(stream[index]);
		} else if (what === "mix") {
			stream.push(...stream.splice(index, 1));
		} else if (what === "trim") {
			stream = [];
		} else if (what === "read") {
			read(host);
		} else if (what === "lease") {
			// It goes, and the next read finds it alive again.
			if (known.hosts.has(host)) folded.change([known.over(host, "its lease ended")]);
		}
		note();
	}
	for (const host of HOSTS) renew(host);
	for (const host of HOSTS) {
		read(host);
		// Whoever said goodbye unheard is over by its lease.
		if (!registry.has(host) && known.hosts.has(host)) folded.change([known.over(host, "it has no lease")]);
	}
	note();
	for (const entry of stream) take(entry);
	return { wrong, folded, known, truth };
}

test("whatever becomes of the stream and the registry, nobody goes back, and a read of all makes it equal the truth", () => {
	fc.assert(
		fc.property(story, (steps) => {
			const { wrong, folded, known, truth } = play(steps);
			expect(wrong).toEqual([]);
			const real = new Map([...truth].map(([host, stored]) => [host, placesOf(stored)]));
			expect(folded.hosts).toEqual(real);
			expect([...known.hosts].map(([host, { offers }]) => [host, offers.size]).sort()).toEqual(
				[...real].map(([host, offers]) => [host, offers.size]).sort(),
			);
		}),
		{ numRuns: 300 },
	);
});

test("who is older than known and stays alive for a lease without a correction counts anew, and is taken", () => {
	const known = createKnown(createRejections(() => {}));
	const readOf = (incarnation: number): HostRead => ({
		kind: "whole",
		isAlive: true,
		version: { incarnation, sequence: 1 },
		about: aboutText(),
		offers: [],
		tooLong: [],
	});
	expect(known.read("h1", readOf(5000), 0)?.kind).toBe("whole");
	expect(known.read("h1", readOf(4000), 1000)).toBeUndefined();
	expect(known.due(1000 + LEASE - 1)).toEqual([]);
	expect(known.due(1000 + LEASE)).toEqual(["h1"]);
	expect(known.read("h1", readOf(4000), 1000 + LEASE)?.kind).toBe("whole");
	expect(known.version("h1")).toEqual({ incarnation: 4000, sequence: 1 });
	expect(known.due(1_000_000)).toEqual([]);
});
