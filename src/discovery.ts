/**
 * From what engines tell of containers to the services that there are: reads their labels, keeps the catalogue, and tells
 * the log what makes no sense, once. Knows nothing of listeners.
 */

import type { Logger } from "pino";
import { type Catalogue, type CatalogueChange, createCatalogue } from "./backends/labels/catalogue.js";
import type { LabelService } from "./backends/labels/decide.js";
import { declarationsOf } from "./backends/labels/declarations.js";
import type { Config } from "./config/schema.js";
import type { Container, ContainerChange } from "./identity/container.js";
import { createRecent } from "./identity/recent.js";

export interface Discovery {
	readonly catalogue: Pick<Catalogue, "of" | "services" | "labelled">;
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
	/** All containers that run, as far as they are known. */
	containers(): Iterable<Container>;
	readonly log: Logger;
}

/** Of how many containers it is remembered what was told. */
const MAX_TOLD = 1024;

export function createDiscovery({ config, remembered, containers, log }: DiscoveryOptions): Discovery {
	const catalogue = createCatalogue(config, remembered);
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
		catalogue,
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
		forget: catalogue.forget,
		reconfigure(next) {
			rules = next.discovery;
			warn(catalogue.reconfigure(next, [...containers()].map(entryOf)));
		},
	};
}
