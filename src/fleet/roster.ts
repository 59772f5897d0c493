/**
 * What other hosts offer, as claims in the pools of this one. Who claims the place of another joins from neither, what this
 * host has itself is its own, and no host has more in a service than it may. A change costs work in proportion to itself.
 * Pure: time is an argument; what follows from a claim is decided in the pools.
 */

import { type Backend, type BackendId, idOf, refKey } from "../backends/backend.js";
import type { Claim } from "../backends/claims.js";
import type { Stuck } from "../backends/stuck.js";
import { createGrouped } from "../grouped.js";
import { type EndpointKey, type NetnsKey, netnsKey, remoteEndpointKey } from "../listeners/ids.js";
import type { Offer, OfferedStuck, OfferKey } from "./offer.js";
import { createRanks, type Ranks } from "./ranks.js";
import type { HostChange, HostInfo } from "./registry.js";

export interface RosterRules {
	/** The share of its weight that a backend in a zone has here, 0 to 1; all of it in zones that are not named. */
	readonly zones: Readonly<Record<string, number>>;
	/** How many backends of one host are in a service at most. */
	readonly maxPerHost?: number | undefined;
}

/** What is to be done in the pools. `why` is a clause. */
export type RosterChange =
	| { readonly kind: "set"; readonly endpoint: EndpointKey; readonly claim: Claim }
	/** It closed, as its host says. */
	| { readonly kind: "closed"; readonly endpoint: EndpointKey }
	/** It is known to be here no longer, or wanted no longer. */
	| { readonly kind: "dropped"; readonly endpoint: EndpointKey }
	/** It should go by a judgement, and may serve: nothing was heard of its host for too long, or two hosts claim its place. */
	| { readonly kind: "doubtful"; readonly endpoint: EndpointKey; readonly why: string };

/** An offer that does not join. */
export interface RefusedOffer {
	readonly service: string;
	readonly id: BackendId;
	readonly host: string;
	/** A clause with its mend. */
	readonly why: string;
	/** Since when, in the clock of the pools. */
	readonly sinceMs: number;
}

export interface Roster {
	/** Takes in what is told of other hosts. */
	take(changes: readonly HostChange[], nowMs: number): void;
	/** A backend of this host came to a place, or left it. */
	local(id: BackendId, is: "in" | "out"): void;
	/** The service is there from now on: what is offered for it is to be put in. */
	serve(service: string): void;
	reconfigure(rules: RosterRules): void;
	/** What is to be done, since this was called last. */
	changes(nowMs: number): RosterChange[];
	/** No host is known any more, and all that they offered goes. */
	clear(): void;
	/** Whether a host offers the backend, be it refused or not. */
	offers(service: string, id: BackendId): boolean;
	refused(): RefusedOffer[];
	/** One of them at this place; undefined where there is none. */
	refusedAt(service: string, id: BackendId): RefusedOffer | undefined;
	hosts(): Iterable<HostInfo>;
}

/** Something that a host offers. */
interface Entry {
	readonly key: OfferKey;
	readonly host: Host;
	readonly id: BackendId;
	readonly offer: Offer;
	readonly told: Claim["told"];
	readonly stuck: Stuck | undefined;
	/** Whether the pools may have it: also one that others claim stays there until that is confirmed. */
	isIn: boolean;
	refused: (Refusal & { readonly sinceMs: number }) | undefined;
}

interface Refusal {
	/** A clause with its mend. */
	readonly why: string;
	/** Another host says otherwise, and either may be right: this is no word of who knows. */
	readonly isContest: boolean;
}

interface Host {
	info: HostInfo;
	readonly netns: NetnsKey;
	/** Since when it says goodbye. */
	drainingMs: number | undefined;
	readonly entries: Map<OfferKey, Entry>;
	/** Nobody asks who comes first where no number is the limit. */
	ranks: Ranks | undefined;
}

export function createRoster(initial: RosterRules): Roster {
	let rules = initial;
	const hosts = new Map<string, Host>();
	const byPlace = createGrouped<BackendId, Entry>();
	const byService = createGrouped<string, Entry>();
	/** How many backends of this host are at a place. */
	const locals = new Map<BackendId, number>();
	/** Of this step. */
	const touched = new Set<Entry>();
	let gone: RosterChange[] = [];

	const touchAll = (entries: Iterable<Entry>) => {
		for (const entry of entries) touched.add(entry);
	};

	/** Those of a host around the last place that it may have in a service: one more or less moves that. */
	const touchLimit = ({ entries, ranks }: Host, service: string) => {
		if (rules.maxPerHost === undefined || ranks === undefined) return;
		const last = rules.maxPerHost - 1;
		for (const id of ranks.of(service).slice(last, last + 2)) {
			const entry = entries.get(refKey({ service, id }));
			if (entry !== undefined) touched.add(entry);
		}
	};

	const put = (host: Host, key: OfferKey, offer: Offer, nowMs: number) => {
		const before = host.entries.get(key);
		const { service } = offer;
		const id = before?.id ?? idOf(key);
		const entry: Entry = {
			key,
			host,
			id,
			offer,
			told: offer.told && {
				...offer.told,
				atMs: (isSameTold(before?.told, offer.told) && before?.told?.atMs) || nowMs,
			},
			stuck: stuckHere(before?.stuck, offer.stuck, nowMs),
			isIn: before?.isIn ?? false,
			refused: before?.refused,
		};
		if (before !== undefined) forget(before);
		else {
			host.ranks?.add(service, id);
			touchLimit(host, service);
		}
		host.entries.set(key, entry);
		if (before === undefined) touchAll(byPlace.of(id));
		byPlace.add(id, entry);
		byService.add(service, entry);
		touched.add(entry);
	};

	/** Out of the indexes that name the entry itself. */
	const forget = (entry: Entry) => {
		touched.delete(entry);
		byPlace.delete(entry.id, entry);
		byService.delete(entry.offer.service, entry);
	};

	const remove = (entry: Entry | undefined, change: (endpoint: EndpointKey) => RosterChange) => {
		if (entry === undefined) return;
		const { host, key, id, offer } = entry;
		forget(entry);
		host.entries.delete(key);
		host.ranks?.delete(offer.service, id);
		touchLimit(host, offer.service);
		touchAll(byPlace.of(id));
		if (entry.isIn) gone.push(change(endpointOf(entry)));
	};

	const take = (change: Exclude<HostChange, { kind: "over" }>, nowMs: number) => {
		const known = hosts.get(change.host.host) ?? newHost(change.host, rules);
		hosts.set(change.host.host, known);
		const wasDraining = known.drainingMs !== undefined;
		if (change.host.draining !== wasDraining) known.drainingMs = change.host.draining ? nowMs : undefined;
		if (change.host.draining !== wasDraining || change.host.zone !== known.info.zone) touchAll(known.entries.values());
		known.info = change.host;
		if (change.kind === "whole") {
			for (const [key, entry] of [...known.entries]) if (!change.offers.has(key)) remove(entry, dropped);
			for (const [key, offer] of change.offers) put(known, key, offer, nowMs);
			return;
		}
		for (const [key, why] of change.taken) remove(known.entries.get(key), why === "closed" ? closed : dropped);
		for (const [key, offer] of change.put) put(known, key, offer, nowMs);
	};

	/** Why it does not join; undefined when nothing speaks against it. */
	const refusalOf = ({ host, id, offer: { service } }: Entry): Refusal | undefined => {
		if (locals.has(id)) return { why: `this host has ${id} itself`, isContest: false };
		const others = new Set<string>();
		for (const one of byPlace.of(id)) if (one.host !== host) others.add(one.host.info.host);
		if (others.size > 0) {
			const [first = "", ...more] = [...others].sort();
			const rest = more.length === 0 ? "" : ` (and ${more.length} more)`;
			const why = `host ${first}${rest} claims ${id}, too, and nobody knows who answers there`;
			return { why, isContest: true };
		}
		const { maxPerHost } = rules;
		if (maxPerHost === undefined || host.ranks === undefined || host.ranks.rank(service, id) < maxPerHost) {
			return undefined;
		}
		const why = `it has ${maxPerHost} in ${service} already, as many as fleet.maxPerHost lets in`;
		return { why, isContest: false };
	};

	const claimOf = (entry: Entry): Claim => {
		const { host, id, offer, told, stuck } = entry;
		const { service, address, port, held, identity } = offer;
		const { host: name, zone = "" } = host.info;
		const backend: Backend = {
			id,
			service,
			address,
			port,
			weight: weightIn(zone, offer.weight),
			state: "ready",
			held: false,
			backup: false,
			host: name,
			zone,
			local: false,
			endpoint: endpointOf(entry),
			netns: host.netns,
			identity,
		};
		const { drainingMs } = host;
		const goodbye = drainingMs === undefined ? undefined : { signal: "", atNs: 0, atMs: drainingMs, isGoodbye: true };
		return { backend, told: goodbye ?? told, stuck, held };
	};

	/** Rounding must not take a backend out that should have a little. */
	const weightIn = (zone: string, weight: number): number => {
		const share = Object.hasOwn(rules.zones, zone) ? (rules.zones[zone] ?? 1) : 1;
		return weight === 0 || share === 0 ? 0 : Math.max(1, Math.round(weight * share));
	};

	return {
		take(changes, nowMs) {
			for (const change of changes) {
				if (change.kind !== "over") {
					take(change, nowMs);
					continue;
				}
				const { said, why } = change;
				const entries = [...(hosts.get(change.host)?.entries.values() ?? [])];
				for (const entry of entries) remove(entry, said ? dropped : (endpoint) => doubtful(endpoint, why));
				hosts.delete(change.host);
			}
		},
		local(id, is) {
			const count = (locals.get(id) ?? 0) + (is === "in" ? 1 : -1);
			if (count > 0) locals.set(id, count);
			else locals.delete(id);
			touchAll(byPlace.of(id));
		},
		serve: (service) => touchAll(byService.of(service)),
		reconfigure(next) {
			rules = next;
			for (const host of hosts.values()) {
				host.ranks = ranksOf(rules, host.ranks, host.entries.values());
				touchAll(host.entries.values());
			}
		},
		changes(nowMs) {
			const changes = gone;
			gone = [];
			for (const entry of touched) {
				const refusal = refusalOf(entry);
				const wasIn = entry.isIn;
				entry.isIn = refusal === undefined || (wasIn && refusal.isContest);
				entry.refused = refusal && { ...refusal, sinceMs: entry.refused?.sinceMs ?? nowMs };
				const endpoint = endpointOf(entry);
				if (refusal === undefined) changes.push({ kind: "set", endpoint, claim: claimOf(entry) });
				else if (wasIn) changes.push(refusal.isContest ? doubtful(endpoint, refusal.why) : dropped(endpoint));
			}
			touched.clear();
			return changes;
		},
		clear() {
			for (const { entries } of hosts.values()) for (const entry of [...entries.values()]) remove(entry, dropped);
			hosts.clear();
		},
		offers: (service, id) => [...byPlace.of(id)].some(({ offer }) => offer.service === service),
		refused: () => [...hosts.values()].flatMap(({ entries }) => [...entries.values()].flatMap(refusedOffer)),
		refusedAt: (service, id) =>
			[...byPlace.of(id)].filter(({ offer }) => offer.service === service).flatMap(refusedOffer)[0],
		hosts: () => [...hosts.values()].map(({ info }) => info),
	};
}

const newHost = (info: HostInfo, rules: RosterRules): Host => ({
	info,
	netns: netnsKey(`host:${info.host}`),
	drainingMs: undefined,
	entries: new Map(),
	ranks: ranksOf(rules, undefined, []),
});

/** Those that there are, or of all these entries; none without a limit. */
function ranksOf({ maxPerHost }: RosterRules, before: Ranks | undefined, entries: Iterable<Entry>): Ranks | undefined {
	if (maxPerHost === undefined || before !== undefined) return maxPerHost === undefined ? undefined : before;
	const ranks = createRanks();
	for (const { offer, id } of entries) ranks.add(offer.service, id);
	return ranks;
}

/** Where it is, for the pools: one host alone is in there with a place, so that its name need not be in the key. */
const endpointOf = ({ key }: Entry): EndpointKey => remoteEndpointKey(key);

const refusedOffer = ({ host, id, offer: { service }, refused }: Entry): RefusedOffer[] =>
	refused === undefined ? [] : [{ service, id, host: host.info.host, why: refused.why, sinceMs: refused.sinceMs }];

const closed = (endpoint: EndpointKey): RosterChange => ({ kind: "closed", endpoint });
const dropped = (endpoint: EndpointKey): RosterChange => ({ kind: "dropped", endpoint });
const doubtful = (endpoint: EndpointKey, why: string): RosterChange => ({ kind: "doubtful", endpoint, why });

function isSameTold(a: Claim["told"], b: Offer["told"]): boolean {
	return a !== undefined && a.atNs === b?.atNs && a.signal === b.signal;
}

/** The same in our clock: since it was told of first, for as long as it lasts. */
function stuckHere(before: Stuck | undefined, now: OfferedStuck | undefined, nowMs: number): Stuck | undefined {
	if (now === undefined) return undefined;
	const atMs = before?.kind === now.kind ? before.atMs : nowMs;
	return now.kind === "paused" ? { ...now, atNs: 0, atMs } : { ...now, atMs };
}
