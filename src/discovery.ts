/**
 * From what engines tell of containers to the services that there are: reads their labels, keeps the catalogue, and tells
 * the log what makes no sense, once. Knows nothing of listeners.
 */

import type { Logger } from "pino";
import { type Catalogue, type CatalogueChange, createCatalogue } from "./backends/labels/catalogue.js";
import type { LabelService } from "./backends/labels/decide.js";
import { declarationsOf } from "./backends/labels/declarations.js";
import type { Config } from "./config/schema.js";
import type { OfferedService } from "./fleet/offer.js";
import type { HostInfo } from "./fleet/registry.js";
import { createRemoteServices } from "./fleet/remote-services.js";
import type { Container, ContainerChange } from "./identity/container.js";
import { createRecent } from "./identity/recent.js";

export interface Discovery {
	readonly catalogue: Pick<Catalogue, "of" | "services" | "labelled">;
	/** Takes in what other hosts declare. True when there are other services now. */
	takeRemote(hosts: Iterable<HostInfo>): boolean;
	/** There are no other hosts any more. */
	forgetRemote(): void;
	/** The services by label of other hosts. */
	remote(): readonly OfferedService[];
	/** What came of changed containers, and of whom else there is more to say now. */
	take(changes: readonly ContainerChange[]): CatalogueChange;
	forget: Catalogue["forget"];
	/** Goes on by another configuration. */
	reconfigure(config: Config): void;
}

export interface DiscoveryOptions {
	readonly config: Config;
	/** The services by label of an earlier run. */
	readonly remembered: readonly LabelService[];
	/** The same of other hosts. */
	readonly remote?: readonly OfferedService[] | undefined;
	/** All containers that run, as far as they are known. */
	containers(): Iterable<Container>;
	readonly log: Logger;
}

/** Of how many containers it is remembered what was told. */
const MAX_TOLD = 1024;

export function createDiscovery({ config, remembered, remote, containers, log }: DiscoveryOptions): Discovery {
	const catalogue = createCatalogue(config, remembered);
	const others = createRemoteServices(config.fleet?.subscribe === true ? remote : []);
	let merged: { readonly own: Catalogue["services"]; readonly services: Catalogue["services"] } | undefined;
	/** The same value while nothing changes. */
	const services = (): Catalogue["services"] => {
		const own = catalogue.services;
		if (merged?.own === own) return merged.services;
		const beside = rules.labels ? others.beside(own) : {};
		merged = { own, services: Object.keys(beside).length === 0 ? own : { ...beside, ...own } };
		return merged.services;
	};
	let rules = config.discovery;
	const names = new Map<string, string>();
	/** What was told of a container last: one that starts over and over says nothing new. */
	const told = createRecent<string, string>(MAX_TOLD);

	const entryOf = (container: Container) => ({
		id: container.id,
		says: { container, declared: declarationsOf(container, rules) },
	});

	const warn = ({ containers: ids }: CatalogueChange) => {
		for (const id of ids) {
			const { problems = [] } = catalogue.of(id) ?? {};
			const text = problems.join("\n");
			if (problems.length === 0 || told.get(id) === text) continue;
			told.set(id, text);
			log.warn({ container: names.get(id) ?? id.slice(0, 12), problems }, "labels of a container are not followed");
		}
	};

	return {
		catalogue: {
			of: catalogue.of,
			get services() {
				return services();
			},
			get labelled() {
				return catalogue.labelled;
			},
		},
		takeRemote(hosts) {
			const before = services();
			if (others.take(hosts)) merged = undefined;
			return services() !== before;
		},
		forgetRemote() {
			others.clear();
			merged = undefined;
		},
		remote: others.all,
		take(changes) {
			for (const { id, container } of changes) {
				if (container === undefined) names.delete(id);
				else names.set(id, container.name);
			}
			const change = catalogue.update(
				changes.map(({ id, container }) => (container === undefined ? { id, says: undefined } : entryOf(container))),
			);
			warn(change);
			return change;
		},
		forget(name) {
			const host = others.declaredBy(name);
			if (host !== undefined && !Object.hasOwn(catalogue.services, name)) {
				return { done: false, why: `host ${host} declares ${name} (forget it there)` };
			}
			if (Object.hasOwn(catalogue.services, name) || !others.forget(name)) return catalogue.forget(name);
			merged = undefined;
			return { done: true, change: { services: true, containers: [] } };
		},
		reconfigure(next) {
			rules = next.discovery;
			merged = undefined;
			warn(catalogue.reconfigure(next, [...containers()].map(entryOf)));
		},
	};
}
