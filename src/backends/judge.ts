/**
 * The verdict on a listener: which services it serves and at which address, or why it serves none. Pure; looks at one
 * endpoint at a time, knows nothing of the others.
 */

import type { Config } from "../config/schema.js";
import type { Resolved } from "../identity/resolver.js";
import type { Endpoint } from "../listeners/table.js";
import { chooseAddress } from "./address.js";
import { type Backend, type BackendId, type BackendRef, type BackendState, backendId } from "./backend.js";
import type { Decisions } from "./decisions.js";
import { compileMatch } from "./match.js";
import { isIn, netnsOfService, proxyFinder } from "./proxy-netns.js";
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
	/** It is out for no other reason than that no rule matches: nobody wants it, and nobody misses it. */
	readonly isUnmatched?: boolean;
}

/** @param decisions is filled in with how it comes about, for whoever asks */
export type Judge = (endpoint: Endpoint, resolved: Resolved, decisions?: Decisions) => Judgement;

/** How many services' reasons a verdict spells out. */
const MAX_REASONS = 3;

/** The judge of a configuration; matches are compiled once. */
export function createJudge(config: Pick<Config, "services" | "addresses" | "proxies">): Judge {
	const { services, addresses: preferred, proxies } = config;
	const proxyAt = proxyFinder(config);
	const rules = Object.entries(services).map(([name, { weight, match }]) => ({
		name,
		weight,
		match: compileMatch(match, proxyAt),
		seenFrom: netnsOfService(name, proxies),
	}));

	return (endpoint, resolved, decisions) => {
		const who = { ...resolved.identity, isHost: resolved.isHost };
		const reasons: string[] = [];
		const matched = rules.filter(({ name, match }) => {
			const result = match(endpoint, who);
			decisions?.rules.push({ service: name, ...result });
			if (!result.matched) reasons.push(`${name}: ${result.why}`);
			return result.matched;
		});
		if (matched.length === 0) {
			return { verdict: { state: "out", why: summary(reasons) }, backends: [], isUnmatched: true };
		}

		const backends: Backend[] = [];
		const refused: { readonly pending: boolean; readonly why: string }[] = [];
		for (const isLocal of [true, false]) {
			const seen = matched.filter(({ seenFrom }) => isIn(seenFrom, who) === isLocal);
			if (seen.length === 0) continue;
			const choice = chooseAddress({
				bound: endpoint.address,
				// one socket that serves IPv4 is enough
				ipv6Only: endpoint.sockets.every(({ ipv6Only }) => ipv6Only),
				isLocal,
				addresses: resolved.addresses,
				preferred,
			});
			if (choice.ok) {
				backends.push(...seen.map((rule) => backendOf(rule, choice.address, endpoint, resolved)));
				continue;
			}
			const { pending, why } = choice;
			refused.push({ pending, why: `${seen.map(({ name }) => name).join(", ")}: ${why}` });
			decisions?.refused.push(...seen.map(({ name }) => ({ service: name, pending, why })));
		}
		return { verdict: verdictOf(backends, refused), backends };
	};
}

function backendOf(
	{ name, weight }: { readonly name: string; readonly weight: number },
	address: string,
	{ port, key, netns }: Endpoint,
	{ identity }: Resolved,
): Backend {
	return {
		id: backendId(address, port),
		service: name,
		address,
		port,
		weight,
		state: "ready",
		held: false,
		endpoint: key,
		netns,
		identity,
	};
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
