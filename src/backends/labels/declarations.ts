/**
 * What a container declares, by all that speaks for it: our own labels, and the conventions that are switched on. Pure; what
 * of it is granted is decided elsewhere.
 */

import type { DiscoveryConfig } from "../../config/schema.js";
import type { Container } from "../../identity/container.js";
import type { Declaration, Declared } from "./declaration.js";
import { registrator } from "./registrator.js";
import { solisten, switchedOff } from "./solisten.js";
import { traefik } from "./traefik.js";
import { virtualHost } from "./virtual-host.js";

/** What a container may fill memory and logs with. */
const MAX_DECLARATIONS = 32;
const MAX_PROBLEMS = 8;

const NOTHING: Declared = { declarations: [], problems: [] };

/** In the order in which they count. */
const CONVENTIONS = [
	["virtual-host", virtualHost],
	["traefik", traefik],
	["registrator", registrator],
] as const;

/**
 * The services that a container says it serves, at most 32, and what it says and can't be meant, at most 8. The same for
 * the same labels in any order. Never throws.
 */
export function declarationsOf(
	container: Container,
	{ labels, conventions }: Pick<DiscoveryConfig, "labels" | "conventions">,
): Declared {
	if (!labels && conventions.length === 0) return NOTHING;
	const off = switchedOff(container.labels);
	if (off !== undefined) return { declarations: [], problems: off };
	const own = labels ? solisten(container) : NOTHING;
	const others = CONVENTIONS.flatMap(([name, read]) => (conventions.includes(name) ? [read(container)] : []));
	const declarations = merge(
		own.declarations,
		others.flatMap((other) => other.declarations),
	);
	const problems = [own, ...others].flatMap((source) => source.problems);
	return bounded(declarations, problems);
}

/** Our own labels have the last word on a service; of conventions each adds what those before it did not say. */
function merge(own: readonly Declaration[], others: readonly Declaration[]): Declaration[] {
	const merged = [...own];
	/** The ports that are said of a service; all, where our own labels speak of it. */
	const said = new Map<string, Set<number | undefined> | "all">(own.map(({ service }) => [service, "all"]));
	for (const other of others) {
		const ports = said.get(other.service) ?? new Set();
		if (ports === "all" || ports.has(other.port) || (other.port === undefined && ports.size > 0)) continue;
		said.set(other.service, ports.add(other.port));
		merged.push(other);
	}
	return merged;
}

function bounded(declarations: readonly Declaration[], problems: readonly string[]): Declared {
	const tooMany = `declares ${declarations.length} services and ports, ${MAX_DECLARATIONS} at most count`;
	const all = declarations.length > MAX_DECLARATIONS ? [tooMany, ...problems] : problems;
	const rest = all.length - (MAX_PROBLEMS - 1);
	return {
		declarations: declarations.slice(0, MAX_DECLARATIONS),
		problems:
			all.length <= MAX_PROBLEMS ? all : [...all.slice(0, MAX_PROBLEMS - 1), `${rest} more problems of this kind`],
	};
}
