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

/** What came of all that a container declares. The same value again while nothing of it is refused. */
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
	/** By name, sorted; those that are as they were before are the same values. */
	readonly labelled: ReadonlyMap<string, LabelService>;
}

interface Claim {
	readonly by: Declaring;
	readonly declaration: Declaration;
}

/**
 * @param configured the services of the configuration
 * @param containers all that say something
 * @param labelledBefore the services by label until now
 */
export function decide(
	configured: Config["services"],
	containers: Iterable<Declaring>,
	labelledBefore: ReadonlyMap<string, LabelService>,
): Decided {
	// A service that the configuration has by now is the configuration's, and has what that gives it.
	const before = new Map([...labelledBefore].filter(([name]) => !Object.hasOwn(configured, name)));
	const sorted = [...containers].sort((a, b) => (a.container.id < b.container.id ? -1 : 1));
	/** Why, of those that are. */
	const refused = new Map<Declaration, string>();
	const claims = new Map<string, Claim[]>();
	for (const by of sorted) {
		for (const declaration of by.declared.declarations) {
			const { service } = declaration;
			if (!Object.hasOwn(configured, service)) {
				const ofIt = claims.get(service) ?? [];
				claims.set(service, ofIt);
				ofIt.push({ by, declaration });
			} else if (!by.isAllowed) {
				const mend = "discovery.allow lets containers join it";
				refused.set(declaration, `the configuration has a service of that name (${mend})`);
			}
		}
	}

	// Who exists already keeps what it has; after that the name decides.
	const order = [...claims.keys()].sort((a, b) => Number(before.has(b)) - Number(before.has(a)) || (a < b ? -1 : 1));
	const acceptable = (name: string) => (claims.get(name) ?? []).filter(({ declaration }) => !refused.has(declaration));
	const modes = new Map(order.map((name) => [name, modeOf(acceptable(name), before.get(name))]));
	for (const [name, mode] of modes) {
		for (const { declaration } of acceptable(name)) {
			const { mode: wanted = mode } = declaration;
			if (wanted === mode) continue;
			refused.set(declaration, `mode ${wanted} differs from that of its other containers, ${mode}`);
		}
	}

	const accepted = order.flatMap(acceptable);
	const had = new Map([...before].map(([name, { hosts }]) => [name, new Set(hosts)]));
	const isKept = (host: string, service: string) => had.get(service)?.has(host) === true;
	const claimed = accepted
		.filter(({ by }) => by.isAllowed)
		.flatMap(({ declaration: { hosts, service } }) => hosts.map((host): [string, string] => [host, service]));
	// A service whose containers are gone keeps its hosts: they are on their way back, or somebody says `forget`.
	const idle = new Map([...before].filter(([name]) => !claims.has(name)));
	// Whoever is allowed takes a host from anybody but its like. The last of these entries counts.
	const owners = new Map([
		...hostOwners(Object.fromEntries(idle)),
		...hostOwners(configured),
		...claimed.toReversed(),
		...claimed.filter(([host, service]) => isKept(host, service)),
	]);
	const isRouted = (host: string, service: string) => (owners.get(host) ?? service) !== service;
	// Those that want nothing new come first, so that what was decided is decided so again.
	const newHosts = ({ declaration: { hosts, service } }: Claim) =>
		hosts.filter((host) => !isKept(host, service)).length;
	const losing: Declaration[] = [];
	for (const { declaration } of accepted.filter(({ by }) => !by.isAllowed).sort((a, b) => newHosts(a) - newHosts(b))) {
		const { hosts, service } = declaration;
		if (hosts.some((host) => isRouted(host, service))) losing.push(declaration);
		else for (const host of hosts) owners.set(host, service);
	}
	for (const declaration of losing) {
		const taken = declaration.hosts.find((host) => isRouted(host, declaration.service)) ?? "";
		const owner = owners.get(taken) ?? "";
		const forget = idle.has(owner) ? `, or forget ${owner}: solistend forget ${owner}` : "";
		const mend = `take another host, or let discovery.allow name the container${forget}`;
		refused.set(declaration, `host ${taken} is routed to ${owner} already (${mend})`);
	}

	const labelled = new Map(before);
	let last = [...labelled.values()].reduce((most, { order }) => Math.max(most, order), 0);
	for (const [name, mode] of modes) {
		const granted = acceptable(name).map(({ declaration }) => declaration);
		if (granted.length === 0) continue;
		const said = granted.find((declaration) => declaration.drainTimeout !== undefined);
		labelled.set(name, {
			name,
			mode,
			hosts: [...new Set(granted.flatMap((declaration) => declaration.hosts))].sort(),
			drainTimeout: said?.drainTimeout ?? SERVICE_DEFAULTS.drainTimeout,
			order: labelled.get(name)?.order ?? ++last,
		});
	}
	for (const [name, service] of labelled) {
		// A host leads to one service: whose containers are all gone gives it up to whoever is allowed to take it.
		const hosts = service.hosts.filter((host) => !isRouted(host, name));
		const was = before.get(name);
		const now = { ...service, hosts };
		labelled.set(name, was !== undefined && sameService(was, now) ? was : now);
	}
	return {
		granted: new Map(sorted.map(({ container, declared }) => [container.id, grantedOf(declared, refused)])),
		labelled: new Map([...labelled].sort(([a], [b]) => (a < b ? -1 : 1))),
	};
}

function sameService(a: LabelService, b: LabelService): boolean {
	return (
		a.mode === b.mode &&
		a.drainTimeout === b.drainTimeout &&
		a.order === b.order &&
		a.hosts.length === b.hosts.length &&
		a.hosts.every((host, index) => host === b.hosts[index])
	);
}

/** What comes of those of which nothing is refused: of nearly all, and the same each time. */
const inFull = new WeakMap<Declared, Granted>();

function grantedOf(declared: Declared, refused: ReadonlyMap<Declaration, string>): Granted {
	if (declared.declarations.some((declaration) => refused.has(declaration))) return grantedInPart(declared, refused);
	const known = inFull.get(declared) ?? grantedInPart(declared, refused);
	inFull.set(declared, known);
	return known;
}

function grantedInPart({ declarations, problems }: Declared, refused: ReadonlyMap<Declaration, string>): Granted {
	const refusals = declarations.flatMap((declaration): Misfit[] => {
		const why = refused.get(declaration);
		return why === undefined ? [] : [{ service: declaration.service, why }];
	});
	return {
		grants: declarations
			.filter((declaration) => !refused.has(declaration))
			.map(({ service, port, weight, ready }) => ({ service, port, weight, ready })),
		problems: [...problems, ...refusals.map(({ service, why }) => `${service}: ${why}`)],
		refused: refusals,
	};
}

/** To which of these services each host is routed. */
function hostOwners(configured: Readonly<Record<string, { readonly hosts: readonly string[] }>>): Map<string, string> {
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
