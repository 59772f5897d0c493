/** Changes single servers of the running HAProxy through its Runtime API, in one line for all that is known by then. */

import type { ProxyConfig } from "../../config/schema.js";
import { messageOf } from "../../errors.js";
import type { FastLane } from "../driver.js";
import type { Board } from "./board.js";
import { commandsOf, isDone, type ServerStep, splitAnswers } from "./commands.js";
import { askSocket, parseInfo } from "./runtime-api.js";

/** What stands in the way of the rest; undefined: all was done. */
export type Trouble = string | undefined;

/** Longest line: HAProxy reads one into a buffer of 16 KiB (`tune.bufsize`), some of which it keeps for itself. */
const MAX_LINE = 8000;

/**
 * Carries out steps in a running HAProxy, if it is the one that they were made for. What was done is on the board.
 * Rejects only when the signal is aborted.
 */
export async function runServerSteps(
	proxy: Pick<ProxyConfig, "runtimeSocket" | "timeout">,
	board: Board,
	steps: readonly ServerStep[],
	signal: AbortSignal,
): Promise<Trouble> {
	for (const batch of batches(steps)) {
		const trouble = await runBatch(proxy, board, batch, signal);
		if (trouble !== undefined) return trouble;
	}
	return undefined;
}

/** Each over a connection of its own: one that was open before a reload goes on talking to the old worker. */
async function runBatch(
	{ runtimeSocket: socket, timeout: timeoutMs }: Pick<ProxyConfig, "runtimeSocket" | "timeout">,
	board: Board,
	steps: readonly ServerStep[],
	signal: AbortSignal,
): Promise<Trouble> {
	const { worker } = board;
	if (socket === undefined || worker === undefined) return "HAProxy's servers are not known yet";
	// The commands first: each says how things are to be, so it does no harm to another worker than the one that is known.
	// That it was another one shows at the end, and then all of it is read and planned.
	const commands = [...steps.flatMap(commandsOf), "show info"];
	const answer = await askSocket({ socket, command: commands.join(";"), timeoutMs, signal });
	if (!answer.ok) return answer.why;
	const answers = splitAnswers(answer.text, commands.length);
	try {
		if (parseInfo(answers.at(-1) ?? "").worker !== worker) return "HAProxy was reloaded or started anew";
	} catch (error) {
		return messageOf(error);
	}
	for (const step of steps) {
		const own = answers.splice(0, commandsOf(step).length);
		if (isDone(step, own)) board.apply(step);
		// It still has connections: the next plan tries again.
		else if (step.kind !== "delete") return `HAProxy answered "${commandsOf(step)[0]}" with "${own.join(" ")}"`;
	}
	return undefined;
}

function* batches(steps: readonly ServerStep[]): Generator<readonly ServerStep[]> {
	let batch: ServerStep[] = [];
	let length = 0;
	for (const step of steps) {
		const more = commandsOf(step).join(";").length + 1;
		if (length + more > MAX_LINE) {
			yield batch;
			batch = [];
			length = 0;
		}
		batch.push(step);
		length += more;
	}
	if (batch.length > 0) yield batch;
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
