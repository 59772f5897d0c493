/** All cases, in the order of the table; and where the sensor itself can't run. */

import { type Group, type Impossible, isOlder, type Where } from "./case.js";
import { pauses } from "./cases/pauses.js";
import { sockets } from "./cases/sockets.js";
import { truth } from "./cases/truth.js";

export const GROUPS: readonly Group[] = [sockets, truth, pauses];

/** Why the sensor can't start at all; undefined where it must. */
export function sensorImpossible(where: Where): Impossible | undefined {
	if (isOlder(where, 5, 11) && where.way.user === "capabilities" && where.way.memlock !== "unlimited") {
		return {
			because: "before 5.11 the kernel charges BPF maps to RLIMIT_MEMLOCK, where only root may raise it",
			shows: /^locked memory is limited to 64 KiB/,
		};
	}
	return undefined;
}
