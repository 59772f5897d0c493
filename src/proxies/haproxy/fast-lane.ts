/** Changes single servers of the running HAProxy through its Runtime API, in one line for all that is known by then. */

import type { ProxyConfig } from "../../config/schema.js";
import { messageOf } from "../../errors.js";
import type { FastOutcome } from "../driver.js";
import type { Board } from "./board.js";
import { commandsOf, isDone, type ServerStep, splitAnswers } from "./commands.js";
import { askSocket, parseInfo } from "./runtime-api.js";

/** What stands in the way, as a clause; undefined: all was done. */
export type Trouble = string | undefined;

/** Longest line: HAProxy reads one into a buffer of 16 KiB (`tune.bufsize`), some of which it keeps for itself. */
const MAX_LINE = 8000;

/**
 * Carries out steps in a running HAProxy, if it is the one that they were made for. What was done, and what was refused,
 * is on the board; where that can't be told, the board forgets all. Rejects only when the signal is aborted.
 */
export async function runServerSteps(
	proxy: Pick<ProxyConfig, "runtimeSocket" | "timeout">,
	board: Board,
	steps: readonly ServerStep[],
	signal: AbortSignal,
): Promise<Trouble> {
	let trouble: Trouble;
	for (const batch of batches(steps)) {
		const own = await runBatch(proxy, board, batch, signal);
		trouble ??= own;
		if (board.worker === undefined) return trouble;
	}
	return trouble;
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
	const unknown = (why: string): Trouble => {
		board.forget();
		return why;
	};
	// The commands first: each says how things are to be, so it does no harm to another worker than the one that is known.
	// That it was another one shows at the end, and then all of it is read and planned.
	const commands = [...steps.flatMap(commandsOf), "show info"];
	const answer = await askSocket({ socket, command: commands.join(";"), timeoutMs, signal });
	if (!answer.ok) return unknown(answer.why);
	const answers = splitAnswers(answer.text, commands.length);
	try {
		if (parseInfo(answers.at(-1) ?? "").worker !== worker) return unknown("HAProxy was reloaded or started anew");
	} catch (error) {
		return unknown(messageOf(error));
	}
	let refused: Trouble;
	for (const step of steps) {
		const own = answers.splice(0, commandsOf(step).length);
		if (isDone(step, own)) board.done(step);
		else if (step.kind !== "delete") {
			board.refuse(step);
			refused ??= `HAProxy answered "${commandsOf(step)[0]}" with "${own.join(" ")}"`;
		}
		// One that can't be deleted still has connections: the next plan tries again.
	}
	return refused;
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

/** What the changes of single backends come to, once their steps were tried. */
export function fastOutcome(
	changes: readonly { readonly name: string; readonly steps: readonly ServerStep[] }[],
	trouble: Trouble,
): FastOutcome {
	const those = (state: "ready" | "maint") =>
		changes
			.filter(({ steps }) => steps.some((step) => step.kind === "state" && step.state === state))
			.map(({ name }) => name);
	const joined = trouble === undefined ? those("ready") : [];
	const left = trouble === undefined ? those("maint") : [];
	return trouble === undefined ? { kind: "applied", joined, left } : { kind: "behind", why: trouble, joined, left };
}
