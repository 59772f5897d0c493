/** Makes this host a member of the registry that the configuration names. */

import type { FleetConfig } from "../config/schema.js";
import { createLocalRegistry } from "./local.js";
import type { Member, MemberOptions } from "./registry.js";

/**
 * Without a configuration of the fleet, of a registry with nobody else in it: nothing of Redis is loaded.
 * It does not wait for the registry: `onState` says how that is.
 */
export async function openMember(config: FleetConfig | undefined, options: MemberOptions): Promise<Member> {
	if (config === undefined) return createLocalRegistry().join(options);
	const { openRedisMember } = await import("./redis/member.js");
	return openRedisMember(config, options);
}
