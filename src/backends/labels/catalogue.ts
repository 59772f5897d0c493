/**
 * Which services there are: those of the configuration, and those that containers declare. Keeps what each container
 * declares, and decides anew when that changes; a service that once existed by label keeps its place until it is forgotten.
 * Pure.
 */

import { type Config, SERVICE_DEFAULTS, type Service } from "../../config/schema.js";
import type { Container } from "../../identity/container.js";
import { compileGlob } from "../glob.js";
import { type Declaring, decide, type Granted, type LabelService } from "./decide.js";
import type { Declared } from "./declaration.js";

/** What the catalogue needs of the configuration. */
export type CatalogueRules = Pick<Config, "services" | "discovery">;

/** A container as it is now. */
export interface CatalogueEntry {
	readonly id: string;
	/** Undefined: it runs no more. */
	readonly says: { readonly container: Container; readonly declared: Declared } | undefined;
}

/** What a change led to. */
export interface CatalogueChange {
	/** The services are not what they were. */
	readonly services: boolean;
	/** The containers for which something else came out than before, by id. */
	readonly containers: readonly string[];
}

export type Forgotten =
	| { readonly done: true; readonly change: CatalogueChange }
	| { readonly done: false; readonly why: string };

export interface Catalogue {
	update(entries: readonly CatalogueEntry[]): CatalogueChange;
	/** Undefined when the container says nothing, or is not known. */
	of(id: string): Granted | undefined;
	/** All services, by name. */
	readonly services: Readonly<Record<string, Service>>;
	/** Those that exist by label, sorted by name. */
	readonly labelled: readonly LabelService[];
	/** A service by label is no more; or why not, as a clause with its mend. */
	forget(name: string): Forgotten;
	/**
	 * Goes on by another configuration.
	 * @param entries all that containers say, by its rules
	 */
	reconfigure(rules: CatalogueRules, entries: readonly CatalogueEntry[]): CatalogueChange;
}

/** @param remembered the services by label of an earlier run */
export function createCatalogue(rules: CatalogueRules, remembered: readonly LabelService[] = []): Catalogue {
	let configured = rules.services;
	let isAllowed = allowance(rules.discovery.allow);
	const declaring = new Map<string, Declaring>();
	let granted: ReadonlyMap<string, Granted> = new Map();
	let labelled: ReadonlyMap<string, LabelService> = new Map(
		remembered
			.filter(({ name }) => !Object.hasOwn(configured, name))
			.map((service) => [service.name, service] as const),
	);
	// The configuration may have taken a host of theirs meanwhile; where one is allowed to claim it, its engine has to tell.
	const { docker, allow } = rules.discovery;
	if (docker === undefined || allow.length === 0) ({ labelled } = decide(configured, [], labelled));
	let services = inEffect(configured, labelled);

	/** Decides everything anew, and tells what differs. */
	const redecide = (): CatalogueChange => {
		const decided = decide(configured, declaring.values(), labelled);
		const before = granted;
		const isOther = !isSameMap(labelled, decided.labelled);
		({ granted, labelled } = decided);
		if (isOther) services = inEffect(configured, labelled);
		return {
			services: isOther,
			containers: [...new Set([...before.keys(), ...granted.keys()])].filter(
				(id) => !isSame(before.get(id), granted.get(id)),
			),
		};
	};

	/** Whether it changes anything. */
	const take = ({ id, says }: CatalogueEntry): boolean => {
		const isSilent = says === undefined || says.declared.declarations.length + says.declared.problems.length === 0;
		if (isSilent) return declaring.delete(id);
		const next = { ...says, isAllowed: isAllowed(says.container) };
		const was = declaring.get(id);
		declaring.set(id, next);
		return was === undefined || was.isAllowed !== next.isAllowed || !isSame(was.declared, next.declared);
	};

	return {
		update: (entries) => (entries.filter(take).length > 0 ? redecide() : { services: false, containers: [] }),
		of: (id) => granted.get(id),
		get services() {
			return services;
		},
		get labelled() {
			return [...labelled.values()];
		},
		forget(name) {
			const refuse = (why: string): Forgotten => ({ done: false, why });
			if (Object.hasOwn(configured, name))
				return refuse(`${name} is a service of the configuration (take it out there)`);
			if (!labelled.has(name)) return refuse(`no service by label is named ${name}`);
			const users = [...declaring.values()].filter(({ container: { id } }) =>
				granted.get(id)?.grants.some(({ service }) => service === name),
			);
			const [first] = users;
			if (first !== undefined) {
				const who = `container ${first.container.name}`;
				return refuse(
					users.length === 1
						? `${who} serves ${name} (stop it first, or take its label away)`
						: `${who} and ${users.length - 1} more serve ${name} (stop them first, or take their labels away)`,
				);
			}
			labelled = new Map([...labelled].filter(([other]) => other !== name));
			const change = redecide();
			services = inEffect(configured, labelled);
			return { done: true, change: { ...change, services: true } };
		},
		reconfigure(next, entries) {
			configured = next.services;
			isAllowed = allowance(next.discovery.allow);
			declaring.clear();
			// in one step: as if nobody ran meanwhile, hosts would go over to others
			entries.forEach(take);
			const change = redecide();
			services = inEffect(configured, labelled);
			return change;
		},
	};
}

/** The services as they are in effect: a host that a container was allowed to claim is taken from who had it. */
function inEffect(
	configured: Config["services"],
	labelled: ReadonlyMap<string, LabelService>,
): Readonly<Record<string, Service>> {
	const claimed = new Set([...labelled.values()].flatMap(({ hosts }) => hosts));
	const labelledNow = [...labelled].map(([name, service]): [string, Service] => [name, serviceByLabel(service)]);
	const isClaimed = (host: string) => claimed.has(host.toLowerCase());
	const byConfig = Object.entries(configured).map(([name, service]): [string, Service] => [
		name,
		service.hosts.some(isClaimed) ? { ...service, hosts: service.hosts.filter((host) => !isClaimed(host)) } : service,
	]);
	return Object.fromEntries([...labelledNow, ...byConfig]);
}

const byLabel = new WeakMap<LabelService, Service>();

function serviceByLabel(service: LabelService): Service {
	const { mode, hosts, drainTimeout, order } = service;
	const known = byLabel.get(service) ?? { ...SERVICE_DEFAULTS, mode, hosts: [...hosts], drainTimeout, order };
	byLabel.set(service, known);
	return known;
}

/** Whether a container may join services of the configuration, and claim hosts that are routed. */
function allowance(allow: Config["discovery"]["allow"]): (container: Container) => boolean {
	const accepting = (globs: readonly string[] = ["*"]) => globs.map(compileGlob);
	const rules = allow.map(({ image, name }) => ({ image: accepting(image), name: accepting(name) }));
	return (container) =>
		rules.some(
			({ image, name }) =>
				image.some((accepts) => accepts(container.image)) && name.some((accepts) => accepts(container.name)),
		);
}

/** Plain values, whose keys are always written in the same order. */
const isSame = (a: unknown, b: unknown) => a === b || JSON.stringify(a) === JSON.stringify(b);

/** Whether both have the same values by the same keys. */
function isSameMap<K, V>(a: ReadonlyMap<K, V>, b: ReadonlyMap<K, V>): boolean {
	return a.size === b.size && [...a].every(([key, value]) => b.get(key) === value);
}
