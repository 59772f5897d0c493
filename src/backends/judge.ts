/**
 * The verdict on a listener: which services it serves and at which address, or why it serves none. Pure; looks at one
 * endpoint at a time, knows nothing of the others.
 */

import { type Config, type ReadyConfig, SERVICE_DEFAULTS } from "../config/schema.js";
import type { PublishedPort } from "../identity/container.js";
import type { Resolved } from "../identity/resolver.js";
import type { Routes } from "../identity/routes.js";
import type { Endpoint } from "../listeners/table.js";
import { chooseAddress, readPreferred } from "./address.js";
import { type Backend, type BackendId, type BackendRef, type BackendState, backendId } from "./backend.js";
import type { Decisions } from "./decisions.js";
import type { Catalogue } from "./labels/catalogue.js";
import { byLabel, isDeclaring } from "./labels/grants.js";
import { compileMatch } from "./match.js";
import { HOST, isIn, netnsOfService, type ProxyNetns, proxyFinder } from "./proxy-netns.js";
import type { HostPlace } from "./published.js";
import type { BackendStatus } from "./status.js";

/** A service that a listener serves, and where; with the state that is not plainly ready, and why it is so. */
export interface Place {
	readonly service: string;
	readonly backend: BackendId;
	readonly state?: BackendState | "out";
	readonly why?: string;
}

/** What a person is told about a listener. `why` is a clause, for each service that it was held against. */
export type Verdict =
	| { readonly state: "in"; readonly places: readonly Place[] }
	/** Something is not known yet; it is looked at again. */
	| { readonly state: "pending"; readonly why: string }
	| { readonly state: "out"; readonly why: string };

export interface Judgement {
	readonly verdict: Verdict;
	/** One for each service that it is in. */
	readonly backends: readonly Backend[];
	/** Whether a service wants it, wherever it may be reached. */
	readonly isWanted: boolean;
	/** It is out for no other reason than that no rule matches: nobody wants it, and nobody misses it. */
	readonly isUnmatched?: boolean;
	/** By service: what it has to answer before it joins there, in place of what the service says. */
	readonly ready?: ReadonlyMap<string, ReadyConfig>;
}

/** What matters to a judgement beside the listener itself. */
export interface Circumstances {
	/** Tells the routes of a namespace in which a proxy runs. */
	routesOf(netns: ProxyNetns): Routes;
	/** Whether it is at the lowest port that its container listens on; default: it is. */
	readonly isLowest?: boolean;
	/** Filled in with how it comes about, for whoever asks. */
	readonly decisions?: Decisions;
}

export type Judge = (endpoint: Endpoint, resolved: Resolved, circumstances: Circumstances) => Judgement;

/** A service that wants the listener. */
interface Wanting {
	readonly name: string;
	readonly weight: number;
	readonly seenFrom: ProxyNetns;
}

/** How many services' reasons a verdict spells out. */
const MAX_REASONS = 3;

/**
 * The judge of a configuration; matches are compiled once.
 * @param catalogue what containers declare; default: nothing
 */
export function createJudge(
	config: Pick<Config, "services" | "addresses" | "proxies" | "discovery" | "host" | "fleet">,
	catalogue?: Pick<Catalogue, "of" | "services">,
): Judge {
	const { services, proxies, discovery } = config;
	const preferred = readPreferred(config.addresses);
	const proxyAt = proxyFinder(config);
	const here = { host: config.host, zone: config.fleet?.zone ?? "", local: true };
	const rules = Object.entries(services).map(([name, { weight, match }]) => ({
		name,
		weight,
		match: compileMatch(match, proxyAt),
		seenFrom: netnsOfService(name, proxies),
	}));

	return (endpoint, resolved, { routesOf, isLowest = true, decisions }) => {
		const who = { ...resolved.identity, isHost: resolved.isHost };
		const reasons: string[] = [];
		const refused: { readonly pending: boolean; readonly why: string }[] = [];
		const matched: Wanting[] = [];
		const ready = new Map<string, ReadyConfig>();
		for (const rule of rules) {
			const result = rule.match(endpoint, who, resolved.container);
			decisions?.rules.push({ service: rule.name, ...result });
			if (result.matched) matched.push(rule);
			else if (result.pending) refused.push({ pending: true, why: `${rule.name}: ${result.why}` });
			else reasons.push(`${rule.name}: ${result.why}`);
		}
		let isUnmatched = true;
		if (catalogue !== undefined && isDeclaring(discovery)) {
			const granted = who.container === undefined ? undefined : catalogue.of(who.container);
			const said = byLabel(endpoint.port, resolved.container, granted, isLowest, discovery);
			const proxy = said.grants.length > 0 ? proxyAt(who) : undefined;
			isUnmatched = said.reasons.length === 0 && proxy === undefined;
			decisions?.labels.push(...said.reasons);
			decisions?.misfits.push(...said.misfits);
			if (said.waiting !== undefined) refused.push({ pending: true, why: said.waiting });
			// what its container says of itself is of more interest than all the services that do not mean it
			if (proxy === undefined) reasons.unshift(...said.reasons);
			else reasons.unshift(`${who.comm} ${proxy} is a proxy itself`);
			for (const { service: name, weight, ready: gate } of proxy === undefined ? said.grants : []) {
				if (gate !== undefined) ready.set(name, gate);
				const wanted = weight ?? catalogue.services[name]?.weight ?? SERVICE_DEFAULTS.weight;
				put(matched, { name, weight: wanted, seenFrom: netnsOfService(name, proxies) });
			}
		}
		if (matched.length === 0) {
			if (refused.length === 0) {
				const why = summary(reasons);
				return { verdict: { state: "out", why }, backends: [], isWanted: false, isUnmatched };
			}
			const why = refused.map((one) => one.why).join("; ");
			return { verdict: { state: "pending", why }, backends: [], isWanted: false };
		}

		const backends: Backend[] = [];
		for (const one of matched) {
			const netns = one.seenFrom;
			const seen = matched.filter(({ seenFrom }) => seenFrom === netns);
			// the first of them has asked for all
			if (seen[0] !== one) continue;
			const choice = chooseAddress({
				bound: endpoint.address,
				port: endpoint.port,
				// one socket that serves IPv4 is enough
				ipv6Only: endpoint.sockets.every(({ ipv6Only }) => ipv6Only),
				isLocal: isIn(netns, who),
				addresses: resolved.addresses,
				shared: resolved.shared ?? [],
				preferred,
				routes: routesOf(netns),
				published: netns === HOST ? publishedOf(resolved) : undefined,
			});
			if (choice.ok) {
				backends.push(...seen.map((rule) => backendOf(rule, choice, endpoint, resolved, here)));
				continue;
			}
			const { pending, why } = choice;
			refused.push({ pending, why: `${seen.map(({ name }) => name).join(", ")}: ${why}` });
			decisions?.refused.push(...seen.map(({ name }) => ({ service: name, pending, why })));
		}
		return { verdict: verdictOf(backends, refused), backends, isWanted: true, ...(ready.size > 0 && { ready }) };
	};
}

/** What a container says of a service stands over what the configuration does. */
function put(matched: Wanting[], wanting: Wanting): void {
	const at = matched.findIndex(({ name }) => name === wanting.name);
	if (at === -1) matched.push(wanting);
	else matched[at] = wanting;
}

function backendOf(
	{ name, weight }: { readonly name: string; readonly weight: number },
	{ address, port }: HostPlace,
	{ key, netns }: Endpoint,
	{ identity }: Resolved,
	here: Pick<Backend, "host" | "zone" | "local">,
): Backend {
	return {
		id: backendId(address, port),
		service: name,
		address,
		port,
		weight,
		state: "ready",
		held: false,
		backup: false,
		...here,
		endpoint: key,
		netns,
		identity,
	};
}

function publishedOf({ container }: Resolved): readonly PublishedPort[] | undefined {
	return container?.state === "known" ? container.container.published : undefined;
}

/** Pending as long as one service waits, so that it is looked at again; it may be in others all the same. */
function verdictOf(
	backends: readonly Backend[],
	refused: readonly { readonly pending: boolean; readonly why: string }[],
): Verdict {
	const waiting = refused.filter(({ pending }) => pending);
	if (waiting.length > 0) return { state: "pending", why: waiting.map(({ why }) => why).join("; ") };
	if (backends.length === 0) return { state: "out", why: refused.map(({ why }) => why).join("; ") };
	return { state: "in", places: backends.map(({ service, id }) => ({ service, backend: id })) };
}

/** The verdict with what came of each place, where that is not simply ready; `out` when none of them is in the set. */
export function withStatus(verdict: Verdict, statusOf: (ref: BackendRef) => BackendStatus | undefined): Verdict {
	if (verdict.state !== "in") return verdict;
	const places = verdict.places.map(({ service, backend }): Place => {
		const status = statusOf({ service, id: backend });
		if (status === undefined || status.state === "ready") return { service, backend };
		return { service, backend, state: status.state, why: status.reason };
	});
	if (places.some(({ state }) => state !== "out")) return { state: "in", places };
	return { state: "out", why: places.map(({ service, why = "" }) => `${service}: ${why}`).join("; ") };
}

function summary(reasons: readonly string[]): string {
	if (reasons.length === 0) return "no service is configured";
	const rest = reasons.length - MAX_REASONS;
	const shown = reasons.slice(0, MAX_REASONS).join("; ");
	return rest > 0 ? `${shown}; and ${rest} more services` : shown;
}
