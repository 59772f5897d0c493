/** A declaration by another tool's convention. Pure. */

import type { Declaration, DeclarationSource } from "./declaration.js";
import { serviceNameOf } from "./service-name.js";

/**
 * What a convention can say; the rest is left open.
 * @param name what its tool calls the service: rewritten where our rule for names does not allow it
 */
export function conventional(
	source: Exclude<DeclarationSource, "solisten">,
	name: string,
	port: number | undefined,
	hosts: readonly string[] = [],
): Declaration {
	return {
		service: serviceNameOf(name),
		port,
		weight: undefined,
		mode: undefined,
		hosts,
		ready: undefined,
		drainTimeout: undefined,
		source,
	};
}
