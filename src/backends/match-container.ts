/** Whether what a container engine says fits a service's match. Pure. */

import type { MatchConfig } from "../config/schema.js";
import { printable } from "../config/wording.js";
import type { Container, ContainerLookup } from "../identity/container.js";
import { compileGlob } from "./glob.js";

/** Why a container does not fit, as a clause; `pending`: it can't be told yet. */
export interface Misfit {
	readonly why: string;
	readonly pending: boolean;
}

/** One thing that is wanted of a container: why it does not fit, or undefined when it does. */
type Test = (container: Container) => string | undefined;

/** A test of `match.container`, compiled once. */
export function containerFits(
	wanted: NonNullable<MatchConfig["container"]>,
): (lookup: ContainerLookup | undefined) => Misfit | undefined {
	const { name, image, label = {} } = wanted;
	const tests: Test[] = [
		...(name === undefined ? [] : [fits("container", ({ name: is }) => is, name)]),
		...(image === undefined ? [] : [fits("image", ({ image: is }) => is, image)]),
		...Object.entries(label).map(([key, globs]) => fits(`label ${key}`, ({ labels }) => labels.get(key), globs)),
	];
	return (lookup) => {
		if (lookup === undefined) return { why: "no container engine tells of it", pending: false };
		if (lookup.state === "waiting") return { why: lookup.why, pending: true };
		for (const test of tests) {
			const why = test(lookup.container);
			if (why !== undefined) return { why, pending: false };
		}
		return undefined;
	};
}

function fits(what: string, read: (container: Container) => string | undefined, globs: readonly string[]): Test {
	const accepting = globs.map(compileGlob);
	return (container) => {
		const value = read(container);
		if (value === undefined) return `its container has no ${what}`;
		if (accepting.some((accepts) => accepts(value))) return undefined;
		return `${what} ${printable(value)} does not match ${globs.join(", ")}`;
	};
}
