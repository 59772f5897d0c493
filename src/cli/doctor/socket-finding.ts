/** What doctor says of a socket or file that the daemon's user may not open, though root may. */

import type { Finding } from "../finding.js";
import { type DaemonUser, obstacleOf, waysPast } from "./daemon-user.js";

/**
 * A finding where the daemon's user may not open `path`; undefined where it may.
 *
 * @param loss what does not work without, as a clause
 * @param options.right of a socket, `write`: that is what connecting to it takes, unix(7)
 * @param options.mend where no group may open it: what gives one the right for longer than the thing lives, as a clause
 */
export async function deniedTo(
	user: DaemonUser,
	name: string,
	path: string,
	loss: string,
	{ right = "write", mend }: { readonly right?: "read" | "write"; readonly mend?: string } = {},
): Promise<Finding | undefined> {
	const obstacle = await obstacleOf(user, path, right);
	if (obstacle === undefined) return undefined;
	const way = await waysPast(obstacle, user, right, mend);
	const where = obstacle.kind === "folder" ? `may not enter ${obstacle.path}, where it is` : "may not open it";
	const who = `user ${user.name}, which runs the daemon,`;
	return { name, state: "failed", detail: `${path}: ${who} ${where}: ${loss} (${way})` };
}
