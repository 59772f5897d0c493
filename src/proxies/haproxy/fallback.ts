/**
 * HAProxy's own checks as a fallback: off while the daemon lives, which knows better, and on again when it has stopped.
 * Owns the way back; that they go off is part of every plan.
 */

import type { ProxyConfig } from "../../config/schema.js";
import { messageOf } from "../../errors.js";
import { outputFiles, readOutput } from "../atomic-write.js";
import { createBoard } from "./board.js";
import type { ServerStep } from "./commands.js";
import { type Declared, parseDeclared } from "./declared.js";
import { runServerSteps } from "./fast-lane.js";
import { type LiveServers, readLive } from "./live.js";
import { isSlotName } from "./slots.js";

/** What became of the checks of a proxy's servers. */
export type Fallback =
	/** They are on; `servers`: of how many they were off before. */
	| { readonly state: "on"; readonly servers: number }
	/** Nobody is there to be told; when HAProxy starts, they are on. */
	| { readonly state: "nobody" }
	/** `why`, as a clause: some may still be off. */
	| { readonly state: "failed"; readonly why: string };

/** For all servers together; whoever waits for the daemon's end waits for this. */
const LAST_WORDS_MS = 3000;

/** Switches the checks on of all servers that the proxy's file declares, in one conversation. Never rejects. */
export async function switchChecksOn(
	proxy: Pick<ProxyConfig, "output" | "runtimeSocket" | "masterSocket" | "timeout">,
): Promise<Fallback> {
	const signal = AbortSignal.timeout(LAST_WORDS_MS);
	try {
		const file = await outputFiles(proxy.output).then(readOutput);
		const live = await readLive(proxy, signal);
		if (live.state === "down") return { state: "nobody" };
		if (live.state !== "known") return { state: "failed", why: live.why ?? "it has no runtimeSocket to be told over" };
		const board = createBoard();
		board.take(live, board.mark());
		const steps = checksOnSteps(live.servers, parseDeclared(file.text ?? "").backends);
		const trouble = await runServerSteps(proxy, board, steps, signal);
		if (trouble !== undefined) return { state: "failed", why: trouble };
		return { state: "on", servers: steps.filter(({ kind }) => kind === "checks").length };
	} catch (error) {
		return {
			state: "failed",
			why: signal.aborted ? `HAProxy did not take it within ${LAST_WORDS_MS} ms` : messageOf(error),
		};
	}
}

/** What it takes to have the checks run of the servers that the file declares, and of those that it is yet to declare. */
export function checksOnSteps(live: LiveServers, declared: Declared): ServerStep[] {
	return [...declared].flatMap(([backend, servers]) =>
		[...(live.get(backend) ?? [])].flatMap(([server, { checks, admin }]): ServerStep[] => {
			if (!servers.has(server) && !isSlotName(server)) return [];
			const of = { backend, server };
			const on: ServerStep = { kind: "checks", ...of, on: true };
			if (checks === "off") return [on];
			if (checks !== "paused") return [];
			// Somebody had it in maintenance, and back: only by that way they go on.
			return [on, { kind: "state", ...of, state: "maint" }, { kind: "state", ...of, state: admin }];
		}),
	);
}
