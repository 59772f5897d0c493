/** Changes single servers of the running HAProxy through its Runtime API, one conversation for all that is known by then. */

import type { ProxyConfig } from "../../config/schema.js";
import { messageOf } from "../../errors.js";
import type { FastLane } from "../driver.js";
import type { Board } from "./board.js";
import { commandsOf, isDone, type ServerStep } from "./commands.js";
import { parseInfo } from "./runtime-api.js";
import { converse } from "./session.js";

/** What stands in the way of the rest; undefined: all was done. */
export type Trouble = string | undefined;

/**
 * Carries out steps in a running HAProxy, if it is the one that they were made for. What was done is on the board.
 * Rejects only when the signal is aborted.
 */
export async function runServerSteps(
	{ runtimeSocket: socket, timeout: timeoutMs }: Pick<ProxyConfig, "runtimeSocket" | "timeout">,
	board: Board,
	steps: readonly ServerStep[],
	signal: AbortSignal,
): Promise<Trouble> {
	const { worker } = board;
	if (steps.length === 0) return undefined;
	if (socket === undefined || worker === undefined) return "HAProxy's servers are not known yet";
	try {
		return await converse({ socket, timeoutMs, signal }, async (ask) => {
			// All in one go: each command says how things are to be, so it does no harm to a new worker. What was not known
			// of that one is then read and planned.
			const [info = "", ...answers] = await ask(["show info", ...steps.flatMap(commandsOf)]);
			if (parseInfo(info).worker !== worker) return "HAProxy was reloaded or started anew";
			for (const step of steps) {
				const commands = commandsOf(step);
				const own = answers.splice(0, commands.length);
				if (isDone(step, own)) board.apply(step);
				// It still has connections: the next plan tries again.
				else if (step.kind !== "delete") return `HAProxy answered "${commands[0]}" with "${own.join(" ")}"`;
			}
			return undefined;
		});
	} catch (error) {
		signal.throwIfAborted();
		return messageOf(error);
	}
}

export function createFastLane(proxy: ProxyConfig, board: Board): FastLane {
	return {
		async apply(changed, wanted, signal) {
			const joined: string[] = [];
			const left: string[] = [];
			const steps: ServerStep[] = [];
			let missing: Trouble;
			for (const ref of changed) {
				if (proxy.services?.includes(ref.service) === false) continue;
				const own = board.stepsFor(ref, wanted(ref), proxy.fallbackChecks);
				if (own === undefined) {
					missing = `${ref.service} has no free slot for ${ref.id}`;
					continue;
				}
				steps.push(...own);
				const state = own.find((step) => step.kind === "state")?.state;
				if (state === "ready") joined.push(`${ref.service}/${ref.id}`);
				if (state === "maint") left.push(`${ref.service}/${ref.id}`);
			}
			const trouble = await runServerSteps(proxy, board, steps, signal);
			if (trouble !== undefined) {
				board.forget();
				return { kind: "behind", why: trouble, joined: [], left: [] };
			}
			return missing === undefined ? { kind: "applied", joined, left } : { kind: "behind", why: missing, joined, left };
		},
	};
}
