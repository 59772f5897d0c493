/** What of the host doctor judges proxies by, beside their configuration. */

import type { Listener } from "../../listeners/event.js";
import type { DaemonUser } from "./daemon-user.js";

export interface Host {
	readonly user: DaemonUser;
	/** All that listen, in every network namespace; undefined where the kernel can't be asked. */
	readonly listeners: readonly Listener[] | undefined;
}
