/** What a listener's container may serve at this port: grants, held against one endpoint. Pure. */

import type { DiscoveryConfig } from "../../config/schema.js";
import type { ContainerLookup } from "../../identity/container.js";
import type { Grant, Granted } from "./decide.js";

/** What labels say of one listener. */
export interface ByLabel {
	/** Those that hold for this port. */
	readonly grants: readonly Grant[];
	/** Why there are not more, each as a clause. */
	readonly reasons: readonly string[];
	/** Set while it can't be told, as a clause. */
	readonly waiting: string | undefined;
}

/** The conventions that read a container's environment. */
const IN_ENVIRONMENT: readonly string[] = ["virtual-host", "registrator"];

/** Whether containers are asked at all what they want to serve. */
export function isDeclaring({ labels, conventions }: DiscoveryConfig): boolean {
	return labels || conventions.length > 0;
}

const NOTHING: ByLabel = { grants: [], reasons: [], waiting: undefined };

/**
 * @param port of the endpoint
 * @param lookup what an engine says of its container
 * @param granted what came of all that the container declares
 * @param lowest port that the container listens on: the one that is meant where nothing says which
 */
export function byLabel(
	port: number,
	lookup: ContainerLookup | undefined,
	granted: Granted | undefined,
	lowest: number,
	{ conventions }: Pick<DiscoveryConfig, "conventions">,
): ByLabel {
	if (lookup === undefined) return NOTHING;
	if (lookup.state === "waiting") return { ...NOTHING, waiting: lookup.why };
	const { grants, problems } = granted ?? { grants: [], problems: [] };
	const { exposed, env } = lookup.container;
	const isReading = env === undefined && conventions.some((one) => IN_ENVIRONMENT.includes(one));
	const [only] = exposed.length === 1 ? exposed : [];
	const meant = grants.map((grant) => ({ grant, port: grant.port ?? only ?? lowest }));
	const others = meant.filter((one) => one.port !== port);
	return {
		grants: meant.filter((one) => one.port === port).map(({ grant }) => grant),
		reasons: [
			...others.map(({ grant, port: other }) => `${grant.service}: its label means port ${other}, not ${port}`),
			...problems,
		],
		waiting: isReading && grants.length === 0 ? "its container's environment is not known yet" : undefined,
	};
}

/** Whether it matters which ports the container listens on. */
export function needsLowest(lookup: ContainerLookup | undefined, granted: Granted | undefined): boolean {
	if (lookup?.state !== "known" || lookup.container.exposed.length === 1) return false;
	return granted?.grants.some(({ port }) => port === undefined) === true;
}
