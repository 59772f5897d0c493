import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type BackendId, backendId, placeOf, refKey } from "../../../src/backends/backend.js";
import type { Claim } from "../../../src/backends/claims.js";
import type { Offer, OfferKey } from "../../../src/fleet/offer.js";
import type { HostChange, HostInfo } from "../../../src/fleet/registry.js";
import { createRoster, type Roster, type RosterRules } from "../../../src/fleet/roster.js";
import type { EndpointKey } from "../../../src/listeners/ids.js";

const info = (host: string, rest: Partial<HostInfo> = {}): HostInfo => ({
	host,
	version: "1",
	lease: 10_000,
	draining: false,
	services: [],
	...rest,
});
const offer = (address: string, rest: Partial<Offer> = {}): Offer => ({
	service: "web",
	address,
	port: 80,
	weight: 100,
	identity: { comm: "nginx", hostname: "web", netnsInode: 0 },
	...rest,
});
const keyed = (offers: readonly Offer[]): Map<OfferKey, Offer> =>
	new Map(offers.map((one) => [refKey({ service: one.service, id: backendId(one.address, one.port) }), one]));
const whole = (host: HostInfo, ...offers: Offer[]): HostChange => ({ kind: "whole", host, offers: keyed(offers) });
const put = (host: HostInfo, ...offers: Offer[]): HostChange => ({
	kind: "delta",
	host,
	put: keyed(offers),
	taken: new Map(),
});
const taken = (host: HostInfo, address: string, why: "closed" | "withdrawn"): HostChange => ({
	kind: "delta",
	host,
	put: new Map(),
	taken: new Map([[`web|${address}:80`, why]]),
});

/**
 * What the pools have by what the roster says, by endpoint.
 *
 * @param held what they have where they hold all back that is doubtful
 */
function follow(
	roster: Roster,
	nowMs: number,
	has = new Map<EndpointKey, Claim>(),
	held = new Map<EndpointKey, Claim>(),
) {
	const said = roster.changes(nowMs);
	for (const change of said) {
		if (change.kind === "set") {
			has.set(change.endpoint, change.claim);
			held.set(change.endpoint, change.claim);
			continue;
		}
		has.delete(change.endpoint);
		if (change.kind !== "doubtful") held.delete(change.endpoint);
	}
	return { said, has, claims: [...has.values()], kinds: said.map(({ kind }) => kind) };
}

function setup(rules: RosterRules = { zones: {} }) {
	const roster = createRoster(rules);
	const has = new Map<EndpointKey, Claim>();
	const take = (changes: readonly HostChange[], nowMs = 0) => {
		roster.take(changes, nowMs);
		return follow(roster, nowMs, has);
	};
	return { roster, take, ids: () => [...has.values()].map(({ backend }) => `${backend.host} ${backend.id}`).sort() };
}

describe("what another host offers", () => {
	test("is a claim of that host", () => {
		const { take } = setup();
		const { claims } = take([whole(info("b", { zone: "west" }), offer("10.0.0.1"))]);
		expect(claims).toMatchObject([
			{ backend: { id: "10.0.0.1:80", host: "b", zone: "west", local: false, weight: 100, state: "ready" } },
		]);
	});

	test("goes by what its host says, and by the end of its lease only with doubt", () => {
		const b = info("b");
		const { take } = setup();
		take([whole(b, offer("10.0.0.1"), offer("10.0.0.2"), offer("10.0.0.3"), offer("10.0.0.4"))]);
		expect(take([taken(b, "10.0.0.1", "closed")]).kinds).toEqual(["closed"]);
		expect(take([taken(b, "10.0.0.2", "withdrawn")]).kinds).toEqual(["dropped"]);
		expect(take([whole(b, offer("10.0.0.3"))]).kinds).toEqual(["dropped", "set"]);
		const over: HostChange = { kind: "over", host: "b", said: false, why: "the lease of host b ended" };
		expect(take([over]).said).toMatchObject([{ kind: "doubtful", why: "the lease of host b ended" }]);
		take([whole(b, offer("10.0.0.3"))]);
		expect(take([{ ...over, said: true }]).kinds).toEqual(["dropped"]);
	});

	test("has times of our clock, from when it was told of first", () => {
		const { take } = setup();
		const b = info("b");
		const told = { told: { signal: "SIGTERM", atNs: 7 } };
		const stuck = { stuck: { kind: "hung", pid: 1, queued: 5, backlog: 4 } } as const;
		take([whole(b, offer("10.0.0.1", told), offer("10.0.0.2", stuck))], 100);
		const again = { stuck: { ...stuck.stuck, queued: 9 } };
		const { claims } = take([put(b, offer("10.0.0.1", { ...told, weight: 5 }), offer("10.0.0.2", again))], 200);
		expect(claims).toMatchObject([
			{ told: { signal: "SIGTERM", atNs: 7, atMs: 100 } },
			{ stuck: { kind: "hung", queued: 9, atMs: 100 } },
		]);
		const next = { told: { signal: "SIGTERM", atNs: 8 } };
		expect(take([put(b, offer("10.0.0.1", next))], 300).claims).toMatchObject([{ told: { atMs: 300 } }, {}]);
	});

	test("is told to stop for as long as its host says goodbye", () => {
		const { take } = setup();
		take([whole(info("b"), offer("10.0.0.1"))], 100);
		const leaving = take([put(info("b", { draining: true }))], 200).claims;
		expect(leaving).toMatchObject([{ told: { isGoodbye: true, atMs: 200 } }]);
		expect(take([put(info("b"))], 300).claims[0]?.told).toBeUndefined();
	});

	test.each([
		["west", 100, 50],
		["west", 1, 1],
		["far", 100, 0],
		["east", 100, 100],
		["constructor", 100, 100],
	])("in zone %s with weight %i has weight %i", (zone, weight, here) => {
		const { take } = setup({ zones: { west: 0.5, far: 0 } });
		expect(take([whole(info("b", { zone }), offer("10.0.0.1", { weight }))]).claims[0]?.backend.weight).toBe(here);
	});

	test("joins from neither of two hosts that claim the place, in whatever services, and each is told of the other", () => {
		const { roster, take, ids } = setup();
		take([whole(info("b"), offer("10.0.0.1")), whole(info("c"), offer("10.0.0.1", { service: "api" }))]);
		expect(ids()).toEqual([]);
		expect(roster.refused()).toMatchObject([
			{ host: "b", service: "web", why: expect.stringContaining("host c claims 10.0.0.1:80, too") },
			{ host: "c", service: "api", why: expect.stringContaining("host b claims 10.0.0.1:80, too") },
		]);
		take([taken(info("b"), "10.0.0.1", "closed")]);
		expect(ids()).toEqual(["c 10.0.0.1:80"]);
		expect(roster.refused()).toEqual([]);
	});

	test("is doubtful while another host claims its place, and goes for certain by all that is no judgement", () => {
		const { roster, take } = setup({ zones: {}, maxPerHost: 1 });
		const [b, c] = [info("b"), info("c")];
		take([whole(b, offer("10.0.0.2"))]);
		// who claims it was never in
		const contest = [whole(c, offer("10.0.0.2", { service: "api" }))];
		const doubt = { kind: "doubtful", why: expect.stringContaining("host c claims 10.0.0.2:80, too") };
		expect(take(contest).said).toMatchObject([doubt]);
		roster.local(backendId("10.0.0.2", 80), "in");
		expect(take([]).kinds).toEqual(["dropped"]);
		roster.local(backendId("10.0.0.2", 80), "out");
		expect(take([]).kinds).toEqual([]);
		expect(take([{ kind: "over", host: "c", said: true, why: "it said goodbye" }]).kinds).toEqual(["set"]);
		expect(take(contest).kinds).toEqual(["doubtful"]);
		// by its host's own word, also while it is doubtful
		expect(take([taken(b, "10.0.0.2", "closed")]).kinds).toEqual(["closed", "set"]);
		expect(take([put(c, offer("10.0.0.1", { service: "api" }))]).kinds).toEqual(["dropped", "set"]);
	});

	test("does not join where this host has the place itself, until it is gone", () => {
		const { roster, take, ids } = setup();
		const id = backendId("10.0.0.1", 80);
		take([whole(info("b"), offer("10.0.0.1"))]);
		roster.local(id, "in");
		take([]);
		expect(ids()).toEqual([]);
		expect(roster.refused()).toMatchObject([{ why: "this host has 10.0.0.1:80 itself" }]);
		roster.local(id, "out");
		take([]);
		expect(ids()).toEqual(["b 10.0.0.1:80"]);
	});

	test("is no more than fleet.maxPerHost in a service: the lowest", () => {
		const { roster, take, ids } = setup({ zones: {}, maxPerHost: 2 });
		const b = info("b");
		take([whole(b, offer("10.0.0.3"), offer("10.0.0.2"), offer("10.0.0.4"), offer("10.0.0.9", { service: "api" }))]);
		expect(ids()).toEqual(["b 10.0.0.2:80", "b 10.0.0.3:80", "b 10.0.0.9:80"]);
		take([put(b, offer("10.0.0.1"))]);
		expect(ids()).toEqual(["b 10.0.0.1:80", "b 10.0.0.2:80", "b 10.0.0.9:80"]);
		expect(roster.refused()).toHaveLength(2);
		take([taken(b, "10.0.0.1", "closed")]);
		expect(ids()).toEqual(["b 10.0.0.2:80", "b 10.0.0.3:80", "b 10.0.0.9:80"]);
		roster.reconfigure({ zones: {} });
		expect(take([]).claims).toHaveLength(4);
	});
});

const HOSTS = ["a", "b", "c"] as const;
const address = fc.integer({ min: 1, max: 4 }).map((n) => `10.0.0.${n}`);
const offers = fc.uniqueArray(
	fc.record({ address, service: fc.constantFrom("web", "api"), weight: fc.constantFrom(0, 1, 100) }),
	{ selector: ({ address: at, service }) => `${service} ${at}`, maxLength: 6 },
);
const hostInfo = fc.record({
	host: fc.constantFrom(...HOSTS),
	draining: fc.boolean(),
	zone: fc.constantFrom("x", "y"),
});
const op = fc.oneof(
	fc.record({ op: fc.constant("whole" as const), host: hostInfo, offers }),
	fc.record({ op: fc.constant("put" as const), host: hostInfo, offers }),
	fc.record({ op: fc.constant("take" as const), host: hostInfo, offers }),
	fc.record({ op: fc.constant("over" as const), host: hostInfo, said: fc.boolean() }),
	fc.record({ op: fc.constant("local" as const), address }),
	fc.record({
		op: fc.constant("rules" as const),
		maxPerHost: fc.option(fc.integer({ min: 1, max: 2 }), { nil: undefined }),
	}),
);

test("whatever hosts say, in whatever order and however it is gathered: the claims are those that follow from all that is offered", () => {
	fc.assert(
		fc.property(fc.array(fc.tuple(op, fc.boolean()), { maxLength: 40 }), (steps) => {
			let rules: RosterRules = { zones: { y: 0.5 } };
			const roster = createRoster(rules);
			const has = new Map<EndpointKey, Claim>();
			const held = new Map<EndpointKey, Claim>();
			/** Hosts of which nothing was heard for a time: what they had then waits for the registry, not for them. */
			const unheard = new Set<string>();
			const model = new Map<string, { info: HostInfo; offers: Map<OfferKey, Offer> }>();
			const locals = new Set<BackendId>();
			for (const [step, isEnd] of steps) {
				if (step.op === "local") {
					const id = backendId(step.address, 80);
					roster.local(id, locals.has(id) ? "out" : "in");
					if (!locals.delete(id)) locals.add(id);
				} else if (step.op === "rules") {
					rules = { zones: rules.zones, maxPerHost: step.maxPerHost };
					roster.reconfigure(rules);
				} else if (step.op === "over") {
					model.delete(step.host.host);
					if (!step.said) unheard.add(step.host.host);
					roster.take([{ kind: "over", host: step.host.host, said: step.said, why: "it ended" }], 0);
				} else {
					const host = info(step.host.host, step.host);
					const all = keyed(step.offers.map(({ address: at, ...rest }) => offer(at, rest)));
					const before = step.op === "whole" ? new Map<OfferKey, Offer>() : (model.get(host.host)?.offers ?? new Map());
					const now = new Map<OfferKey, Offer>([...before, ...(step.op === "take" ? [] : all)]);
					if (step.op === "take") for (const key of all.keys()) now.delete(key);
					model.set(host.host, { info: host, offers: now });
					const gone = new Map([...(step.op === "take" ? all.keys() : [])].map((key) => [key, "closed" as const]));
					const change: HostChange =
						step.op === "whole"
							? { kind: "whole", host, offers: all }
							: { kind: "delta", host, put: step.op === "take" ? new Map() : all, taken: gone };
					roster.take([change], 0);
				}
				if (isEnd) follow(roster, 0, has, held);
			}
			follow(roster, 0, has, held);
			for (const { backend } of held.values()) {
				const offered = model.get(backend.host)?.offers.has(refKey(backend));
				if (!unheard.has(backend.host))
					expect([backend, offered, locals.has(backend.id)]).toEqual([backend, true, false]);
			}
			const expected = [...model.values()].flatMap(({ info: host, offers: own }) =>
				[...own].flatMap(([key, one]) => {
					const id = backendId(one.address, one.port);
					const isOther = ({ info: other, offers: theirs }: { info: HostInfo; offers: Map<OfferKey, Offer> }) =>
						other !== host && [...theirs.keys()].some((theirKey) => theirKey.endsWith(`|${id}`));
					const before = [...own.keys()].filter((other) => other.startsWith(`${one.service}|`) && other < key).length;
					const isOver = rules.maxPerHost !== undefined && before >= rules.maxPerHost;
					if (locals.has(id) || isOver || [...model.values()].some(isOther)) return [];
					const weight = host.zone === "y" ? Math.ceil(one.weight / 2) : one.weight;
					return [`${host.host} ${key} ${weight} ${host.draining}`];
				}),
			);
			const found = [...has.values()].map(({ backend, told }) => {
				expect(placeOf(backend.id)).toEqual({ address: backend.address, port: backend.port });
				return `${backend.host} ${refKey(backend)} ${backend.weight} ${told?.isGoodbye === true}`;
			});
			expect(found.sort()).toEqual(expected.sort());
			const refused = roster.refused().map(({ host, service, id }) => `${host} ${service}|${id}`);
			const all = [...model.values()].flatMap(({ info: host, offers: own }) =>
				[...own.keys()].map((key) => `${host.host} ${key}`),
			);
			const joined = new Set(found.map((one) => one.split(" ").slice(0, 2).join(" ")));
			expect(refused.sort()).toEqual(all.filter((one) => !joined.has(one)).sort());
		}),
		{ numRuns: 300 },
	);
});
