/** `solistend drain-host`: other hosts send this one no new work, and then forget it: for maintenance. */

import { z } from "zod";
import { ask, type SocketOptions, socketPath, understood } from "./ask.js";
import { counted } from "./explain-words.js";
import { printLine } from "./output.js";

export interface DrainHostOptions extends SocketOptions {
	/** Takes it back. */
	readonly undo: boolean;
}

const answer = z.object({ host: z.string(), cluster: z.string(), backends: z.int().min(0) });

/** Says what happens now, and what comes next. Exit code 1 when others could not be told. */
export async function drainHost({ undo, ...options }: DrainHostOptions): Promise<number> {
	const asked = await ask(await socketPath(options), "POST", "/v1/drain-host", { undo });
	const { host, cluster, backends } = understood(asked, answer);
	const its = counted(backends, "backend", "backends");
	if (undo) {
		printLine(`${host}  no longer drained: the other hosts of cluster ${cluster} send its ${its} work again`);
		return 0;
	}
	printLine(`${host}  drained: the other hosts of cluster ${cluster} give its ${its} no new work`);
	printLine(
		"They go on with what they have begun, and forget this host after the longest drainTimeout of its services,",
	);
	printLine("or at once when its daemon stops. What a proxy on this host sends to its own backends goes on.");
	printLine(
		"solistend status --fleet on another host shows when it is gone; solistend drain-host --undo takes it back.",
	);
	return 0;
}
