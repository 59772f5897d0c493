/**
 * Which containers may serve which services, where they say so themselves: grants and refusals, and the services that come
 * of it. Pure: the same containers lead to the same result in whatever order they came, but for who had a host or a mode
 * before.
 */

import { type Config, type ReadyConfig, SERVICE_DEFAULTS } from "../../config/schema.js";
import type { Container } from "../../identity/container.js";
import type { Declaration, Declared } from "./declaration.js";

/** A service that exists by label: what has to be known of it when none of its containers runs. */
export interface LabelService {
	readonly name: string;
	readonly mode: "http" | "tcp";
	/** DNS names, lower case, sorted. */
	readonly hosts: readonly string[];
	/** In milliseconds. */
	readonly drainTimeout: number;
	/** Its place among them, the first one first: who comes later takes no default away. */
	readonly order: number;
}

/** A container may serve a service. */
export interface Grant {
	readonly service: string;
	/** TCP port inside the container; undefined: the only one that it exposes, else the lowest that it listens on. */
	readonly port: number | undefined;
	/** Undefined: the service's. */
	readonly weight: number | undefined;
	/** Undefined: the service's. */
	readonly ready: ReadyConfig | undefined;
}

/** What came of all that a container declares. */
export interface Granted {
	readonly grants: readonly Grant[];
	/** What is refused or makes no sense, each as a clause for people. */
	readonly problems: readonly string[];
	/** The services among them that it may not serve. */
	readonly refused: readonly Misfit[];
}

/** A container names a service, and a listener of it does not lead there. */
export interface Misfit {
	readonly service: string;
	/** A clause. */
	readonly why: string;
}

/** A container that says something. */
export interface Declaring {
	readonly container: Container;
	readonly declared: Declared;
	/** It may join services of the configuration, and claim hosts that are routed (`discovery.allow`). */
	readonly isAllowed: boolean;
}

export interface Decided {
	/** By the container's id. */
	readonly granted: ReadonlyMap<string, Granted>;
	/** By name, sorted. */
	readonly labelled: ReadonlyMap<string, LabelService>;
}

interface Claim {
	readonly by: Declaring;
	readonly declaration: Declaration;
}

/**
 * @param configured the services of the configuration
 * @param containers all that say something
 * @param before the services by label until now
 */
export function decide(
	configured: Config["services"],
	containers: Iterable<Declaring>,
	before: ReadonlyMap<string, LabelService>,
): Decided {
	const sorted = [...containers].sort((a, b) => (a.container.id < b.container.id ? -1 : 1));
	const granted = new Map<string, { grants: Grant[]; problems: string[]; refused: Misfit[] }>();
	for (const { container, declared } of sorted) {
		granted.set(container.id, { grants: [], problems: [...declared.problems], refused: [] });
	}
	const grant = ({ by, declaration: { service, port, weight, ready } }: Claim) =>
		granted.get(by.container.id)?.grants.push({ service, port, weight, ready });
	const refuse = ({ by, declaration: { service } }: Claim, why: string) => {
		const of = granted.get(by.container.id);
		of?.problems.push(`${service}: ${why}`);
		of?.refused.push({ service, why });
	};

	const claims = new Map<string, Claim[]>();
	for (const by of sorted) {
		for (const declaration of by.declared.declarations) {
			const claim = { by, declaration };
			if (!Object.hasOwn(configured, declaration.service)) {
				claims.set(declaration.service, [...(claims.get(declaration.service) ?? []), claim]);
			} else if (by.isAllowed) grant(claim);
			else refuse(claim, "the configuration has a service of that name (discovery.allow lets containers join it)");
		}
	}

	const owners = hostOwners(configured);
	const isRouted = (host: string, service: string) => (owners.get(host) ?? service) !== service;
	// Who exists already keeps what it has; after that the name decides.
	const order = [...claims.keys()].sort((a, b) => Number(before.has(b)) - Number(before.has(a)) || (a < b ? -1 : 1));
	for (const name of order) {
		for (const host of before.get(name)?.hosts ?? []) if (!owners.has(host)) owners.set(host, name);
	}
	const labelled = new Map([...before].filter(([name]) => !Object.hasOwn(configured, name)));
	for (const name of order) {
		const ofIt = claims.get(name) ?? [];
		const was = before.get(name);
		const mode = modeOf(ofIt, was);
		const accepted = ofIt.filter((claim) => {
			const { mode: wanted = mode, hosts } = claim.declaration;
			const taken = claim.by.isAllowed ? undefined : hosts.find((host) => isRouted(host, name));
			if (wanted !== mode) refuse(claim, `mode ${wanted} differs from that of its other containers, ${mode}`);
			else if (taken !== undefined) {
				const mend = "take another host, or let discovery.allow name the container";
				refuse(claim, `host ${taken} is routed to ${owners.get(taken)} already (${mend})`);
			}
			return wanted === mode && taken === undefined;
		});
		accepted.forEach(grant);
		const hosts = [...new Set(accepted.flatMap((claim) => claim.declaration.hosts))].sort();
		for (const host of hosts) owners.set(host, name);
		if (accepted.length === 0) continue;
		const drainTimeout = accepted.find(({ declaration }) => declaration.drainTimeout !== undefined)?.declaration
			.drainTimeout;
		const last = Math.max(0, ...[...labelled.values()].map(({ order }) => order));
		labelled.set(name, {
			name,
			mode,
			hosts,
			drainTimeout: drainTimeout ?? SERVICE_DEFAULTS.drainTimeout,
			order: was?.order ?? last + 1,
		});
	}
	// A host leads to one service: whose containers are all gone gives it up to one that has some.
	for (const [name, service] of labelled) {
		const hosts = service.hosts.filter((host) => !isRouted(host, name));
		if (hosts.length < service.hosts.length) labelled.set(name, { ...service, hosts });
	}
	return { granted, labelled: new Map([...labelled].sort(([a], [b]) => (a < b ? -1 : 1))) };
}

/** To which service of the configuration each host is routed. */
function hostOwners(configured: Config["services"]): Map<string, string> {
	return new Map(
		Object.entries(configured).flatMap(([name, { hosts }]) =>
			hosts.map((host): [string, string] => [host.toLowerCase(), name]),
		),
	);
}

/** What it was, while one of its containers agrees or none says; else what the first one says. */
function modeOf(claims: readonly Claim[], before: LabelService | undefined): "http" | "tcp" {
	const said = claims.flatMap(({ declaration: { mode } }) => mode ?? []);
	if (before !== undefined && (said.length === 0 || said.includes(before.mode))) return before.mode;
	return said[0] ?? SERVICE_DEFAULTS.mode;
}
