/** `solistend status`: what the running daemon has and does, for a person or as JSON. */

import { SolistendError } from "../errors.js";
import { ask, type SocketOptions, socketPath, understood } from "./ask.js";
import { fleetLines } from "./fleet-lines.js";
import { jsonText, printLine } from "./output.js";
import { statusLines } from "./status-lines.js";
import { daemonStatus } from "./status-schema.js";

export interface StatusOptions extends SocketOptions {
	readonly json: boolean;
	/** The hosts that share their view, and nothing else. */
	readonly fleet: boolean;
	/** Goes on, on the whole terminal. */
	readonly watch: boolean;
}

/** @throws SolistendError when the fleet is asked for and there is none */
export async function status(
	{ json, fleet: isFleet, watch: isWatching, ...where }: StatusOptions,
	interrupted: AbortSignal,
): Promise<number> {
	if (isWatching) {
		const { watchStatus } = await import("./status-watch.js");
		return watchStatus(await socketPath(where), { json, isFleet }, interrupted);
	}
	const answer = await ask(await socketPath(where), "GET", "/v1/status");
	const now = understood(answer, daemonStatus);
	if (isFleet) {
		const { fleet } = now;
		if (fleet === undefined) {
			const mend = "name its Redis as fleet.redis in the configuration";
			throw new SolistendError("config", `this host is in no fleet: it knows of no other one (${mend})`);
		}
		if (json) printLine(jsonText(fleet, 2));
		else for (const line of fleetLines(fleet, Date.now())) printLine(line);
		return 0;
	}
	if (json) printLine(jsonText(answer.body, 2));
	else for (const line of statusLines(now, Date.now())) printLine(line);
	return 0;
}
