/** What a listener's container may serve at this port: grants, held against one endpoint. Pure. */

import type { DiscoveryConfig } from "../../config/schema.js";
import type { ContainerLookup } from "../../identity/container.js";
import type { Grant, Granted, Misfit } from "./decide.js";

/** What labels say of one listener. */
export interface ByLabel {
	/** Those that hold for this port. */
	readonly grants: readonly Grant[];
	/** Why there are not more, each as a clause. */
	readonly reasons: readonly string[];
	/** The services among them that its container names. */
	readonly misfits: readonly Misfit[];
	/** Set while it can't be told, as a clause. */
	readonly waiting: string | undefined;
}

/** The conventions that read a container's environment. */
const IN_ENVIRONMENT: readonly string[] = ["virtual-host", "registrator"];

/** Whether containers are asked at all what they want to serve. */
export function isDeclaring({ labels, conventions }: DiscoveryConfig): boolean {
	return labels || conventions.length > 0;
}

const NOTHING: ByLabel = { grants: [], reasons: [], misfits: [], waiting: undefined };

/**
 * @param port of the endpoint
 * @param lookup what an engine says of its container
 * @param granted what came of all that the container declares
 * @param isLowest whether it is the lowest that the container listens on: that is meant where nothing says which
 */
export function byLabel(
	port: number,
	lookup: ContainerLookup | undefined,
	granted: Granted | undefined,
	isLowest: boolean,
	{ conventions }: Pick<DiscoveryConfig, "conventions">,
): ByLabel {
	if (lookup === undefined) return NOTHING;
	if (lookup.state === "waiting") return { ...NOTHING, waiting: lookup.why };
	const { grants, problems, refused } = granted ?? { grants: [], problems: [], refused: [] };
	const { exposed, env } = lookup.container;
	const isReading = env === undefined && conventions.some((one) => IN_ENVIRONMENT.includes(one));
	const [only] = exposed.length === 1 ? exposed : [];
	// an event tells of a container's labels, and of nothing that it exposes
	const unsure = grants.filter(({ port: own }) => own === undefined && exposed.length === 0 && env === undefined);
	const [first] = unsure;
	if (first !== undefined) {
		const why = `${first.service}: its label names no port, and what its image exposes is not known yet`;
		const sure = grants.filter((grant) => !unsure.includes(grant));
		return { ...byLabel(port, lookup, { grants: sure, problems, refused }, isLowest, { conventions }), waiting: why };
	}
	/** Why a grant is not for this port; undefined when it is. */
	const misfit = ({ port: own }: Grant): string | undefined => {
		const named = own ?? only;
		if (named !== undefined) return named === port ? undefined : `its label means port ${named}, not ${port}`;
		return isLowest
			? undefined
			: `its label names no port and means the lowest, not ${port} (solisten.port says which)`;
	};
	const elsewhere = grants.flatMap((grant): Misfit[] => {
		const why = misfit(grant);
		return why === undefined ? [] : [{ service: grant.service, why }];
	});
	return {
		grants: grants.filter((grant) => misfit(grant) === undefined),
		reasons: [...elsewhere.map(({ service, why }) => `${service}: ${why}`), ...problems],
		misfits: [...elsewhere, ...refused],
		waiting: isReading && grants.length === 0 ? "its container's environment is not known yet" : undefined,
	};
}
