/**
 * Changes of single servers in a running HAProxy: as its commands, and what it must answer (management guide, "set
 * server", "add server", "del server"). Pure.
 */

import { backendId } from "../../backends/backend.js";
import { hostPort } from "../../ip.js";
import type { AdminState, LiveServer } from "./live.js";

interface OfServer {
	readonly backend: string;
	readonly server: string;
}

/** One change of one server. */
export type ServerStep =
	| (OfServer & { readonly kind: "address"; readonly address: string; readonly port: number })
	| (OfServer & { readonly kind: "weight"; readonly weight: number })
	| (OfServer & { readonly kind: "state"; readonly state: AdminState })
	/** HAProxy's own checks of it. */
	| (OfServer & { readonly kind: "checks"; readonly on: boolean })
	/** Out of the DOWN that a check left it in. */
	| (OfServer & { readonly kind: "up" })
	/** A new one, in maintenance. HAProxy 3.0 and later; `options` as in a server's line. */
	| (OfServer & {
			readonly kind: "add";
			readonly address: string;
			readonly port: number;
			readonly weight: number;
			readonly options: string;
	  })
	/** One that is in maintenance and that nobody uses any more. HAProxy 3.0 and later. */
	| (OfServer & { readonly kind: "delete" });

/** How long HAProxy may wait for the last connection of a server that is to be deleted, in milliseconds. */
export const DELETE_WAIT_MS = 200;

/** The command of a step; one that deletes is two. */
export function commandsOf(step: ServerStep): string[] {
	const server = `${step.backend}/${step.server}`;
	switch (step.kind) {
		case "address":
			return [`set server ${server} addr ${step.address} port ${step.port}`];
		case "weight":
			return [`set server ${server} weight ${step.weight}`];
		case "state":
			return [`set server ${server} state ${step.state}`];
		case "checks":
			return [`${step.on ? "enable" : "disable"} health ${server}`];
		case "up":
			return [`set server ${server} health up`];
		case "add":
			return [`add server ${server} ${hostPort(step.address, step.port)} weight ${step.weight}${step.options}`];
		case "delete":
			return [`wait ${DELETE_WAIT_MS}ms srv-removable ${server}`, `del server ${server}`];
		default:
			return step satisfies never;
	}
}

/** Whether the answers, one for each command, mean that the step was done. */
export function isDone({ kind }: ServerStep, answers: readonly string[]): boolean {
	const [first = ""] = answers;
	switch (kind) {
		case "address":
			// 3.0 speaks of the port alone where the address is the same, and not even of that where both are.
			return /^(IP changed|port changed|no need to change the addr|nothing changed)/.test(first);
		case "add":
			return first === "New server registered.";
		case "delete":
			return answers[1] === "Server deleted.";
		case "weight":
		case "state":
		case "checks":
		case "up":
			return first === "";
		default:
			return kind satisfies never;
	}
}

/**
 * Cuts the answers to commands joined by `;` apart: a text and an empty line each, or the empty line alone.
 * @param count how many there are; the last one is all that is left
 */
export function splitAnswers(text: string, count: number): string[] {
	const answers: string[] = [];
	let rest = text;
	while (answers.length < count - 1) {
		const end = rest.startsWith("\n") ? 0 : rest.indexOf("\n\n") + 1;
		answers.push(rest.slice(0, end).trim());
		rest = rest.slice(end + 1);
	}
	return [...answers, rest.trim()];
}

/** The server after a step that was done; undefined: there is none any more. */
export function afterStep(server: LiveServer | undefined, step: ServerStep): LiveServer | undefined {
	switch (step.kind) {
		case "add":
			return {
				address: backendId(step.address, step.port),
				weight: step.weight,
				admin: "maint",
				running: true,
				checks: / check\b/.test(step.options) ? "off" : "none",
			};
		case "delete":
			return undefined;
		case "address":
			return server && { ...server, address: backendId(step.address, step.port) };
		case "weight":
			return server && { ...server, weight: step.weight };
		case "state":
			return server && { ...server, admin: step.state, checks: checksAfter(server, step.state) };
		case "checks":
			return server && { ...server, checks: step.on ? "on" : "off" };
		case "up":
			return server && { ...server, running: true };
		default:
			return step satisfies never;
	}
}

/** Maintenance pauses the checks; whoever leaves it while they are off takes the pause along. */
function checksAfter({ admin, checks }: LiveServer, next: AdminState): LiveServer["checks"] {
	if (next === "maint") return checks === "paused" ? "off" : checks;
	return admin === "maint" && checks === "off" ? "paused" : checks;
}
