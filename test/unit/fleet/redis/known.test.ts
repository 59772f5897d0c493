import { expect, test } from "vitest";
import type { ChangeEntry } from "../../../../src/fleet/redis/entry.js";
import { createKnown } from "../../../../src/fleet/redis/known.js";
import type { HostRead } from "../../../../src/fleet/redis/looks.js";
import { createRejections } from "../../../../src/fleet/redis/rejections.js";
import { aboutText, keyOf, offerOf, offerText } from "./offers.js";

const whole = (sequence: number, rest: Partial<Extract<HostRead, { kind: "whole" }>> = {}): HostRead => ({
	kind: "whole",
	isAlive: true,
	version: { incarnation: 1, sequence },
	about: aboutText(),
	offers: [[keyOf(1), offerText(1)]],
	tooLong: [],
	...rest,
});

const entry = (sequence: number, kind: ChangeEntry["kind"], payload = ""): ChangeEntry => ({
	host: "h1",
	version: { incarnation: 1, sequence },
	atMs: 1000,
	kind,
	payload,
});

const delta = (put: Readonly<Record<string, string>>, taken: Readonly<Record<string, string>> = {}): string =>
	JSON.stringify({ v: 1, put, taken });

function setup() {
	const rejections = createRejections(() => {});
	const known = createKnown(rejections);
	return { rejections, known };
}

test("a delta tells what came and went, of places that are known to be offered", () => {
	const { known } = setup();
	known.read("h1", whole(1), 0);
	const payload = delta({ [keyOf(2)]: offerText(2) }, { [keyOf(1)]: "closed", [keyOf(9)]: "closed" });
	expect(known.entry(entry(2, "delta", payload), 0, 1007)).toMatchObject({
		kind: "delta",
		put: new Map([[keyOf(2), offerOf(2)]]),
		taken: new Map([[keyOf(1), "closed"]]),
		lagMs: 7,
	});
	expect([...(known.hosts.get("h1")?.offers ?? [])]).toEqual([keyOf(2)]);
});

test("of an offer that can't be read, what it was before goes; all others stay", () => {
	const { known, rejections } = setup();
	known.read("h1", whole(1), 0);
	const change = known.entry(entry(2, "delta", delta({ [keyOf(1)]: "{", [keyOf(2)]: offerText(2) })), 0, undefined);
	expect(change).toMatchObject({ put: new Map([[keyOf(2), offerOf(2)]]), taken: new Map([[keyOf(1), "withdrawn"]]) });
	expect(rejections.last).toBe(`host h1, offer ${keyOf(1)}: it is no JSON`);
});

test("what it says of itself changes alone", () => {
	const { known } = setup();
	known.read("h1", whole(1), 0);
	const change = known.entry(entry(2, "about", aboutText({ draining: true, lease: 2000 })), 0, undefined);
	expect(change).toMatchObject({
		kind: "delta",
		host: { draining: true, lease: 2000 },
		put: new Map(),
		taken: new Map(),
	});
	expect(known.hosts.get("h1")?.lease).toBe(2000);
});

test.each([
	["a payload that can't be read", entry(2, "delta", '{"v":1')],
	["another kind", entry(2, "unknown", delta({}))],
	["a gap", entry(3, "delta", delta({}))],
	["a later incarnation", { ...entry(2, "delta", delta({})), version: { incarnation: 2, sequence: 2 } }],
	["a host that nobody knows", { ...entry(2, "delta", delta({})), host: "h2" }],
] as const)("%s leads to a read, and changes nothing before it", (_, given) => {
	const { known } = setup();
	known.read("h1", whole(1), 0);
	expect(known.entry(given, 0, undefined)).toBe("read");
	expect(known.version("h1")).toEqual({ incarnation: 1, sequence: 1 });
});

test("a host that can't be used stays as it was, and is not added", () => {
	const { known, rejections } = setup();
	expect(known.read("h2", whole(1, { isAlive: false }), 0)).toBeUndefined();
	expect(rejections.count).toBe(0);
	known.read("h1", whole(1), 0);
	for (const found of [
		{ kind: "none" },
		{ kind: "unusable", why: "its key is no hash" },
		whole(2, { about: undefined, tooLong: [{ key: "@about", bytes: 1e7 }] }),
		whole(2, { about: aboutText().replace('"v":1', '"v":2') }),
	] as const) {
		expect(known.read("h1", found, 0)).toBeUndefined();
	}
	expect(rejections.count).toBe(3);
	expect(known.hosts.get("h1")?.version).toEqual({ incarnation: 1, sequence: 1 });
	// One whose lease is over is no reason to go on with less than it told last.
	expect(known.read("h1", whole(2, { isAlive: false, offers: [] }), 0)).toMatchObject({
		kind: "whole",
		offers: new Map(),
	});
});

test("who said goodbye is over by its own word, once, and nothing that was told before it brings it back", () => {
	const { known } = setup();
	known.read("h1", whole(1), 0);
	expect(known.entry(entry(3, "bye"), 0, undefined)).toMatchObject({ kind: "over", said: true });
	expect(known.entry(entry(3, "bye"), 0, undefined)).toBeUndefined();
	expect(known.entry(entry(2, "delta", delta({})), 0, undefined)).toBeUndefined();
	expect(known.read("h1", whole(2), 0)).toBeUndefined();
	expect(known.hosts.size).toBe(0);
});

test("who was over by its lease comes back as it was", () => {
	const { known } = setup();
	known.read("h1", whole(1), 0);
	expect(known.over("h1", "its lease ended")).toMatchObject({ kind: "over", said: false });
	expect(known.read("h1", whole(1), 0)).toMatchObject({ kind: "whole" });
});
