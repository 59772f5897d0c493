/**
 * `GET /v1/events`: the status, and then what becomes another in it, as server-sent events. Each who follows gets what
 * differs from what it got last, so what waits for a slow one is never more than one such step; one that takes nothing for
 * a while is cut. While nobody follows, nothing is computed and no timer runs.
 */

import type { ServerResponse } from "node:http";
import { changesBetween } from "./changes.js";
import type { DaemonStatus, DaemonView } from "./view.js";

/** Between two looks at the status, and so many times as long as the last look took. */
const PAUSE_MS = 100;
const PAUSE_FACTOR = 10;
/** Looks again although nothing was told: counts and leases run by themselves. It also finds out who is gone. */
const BEAT_MS = 5000;

interface Follower {
	readonly response: ServerResponse;
	/** What it got last. */
	last: DaemonStatus;
	/** While it has not taken that. */
	stuck: NodeJS.Timeout | undefined;
}

export interface Events {
	/** Answers with the status and all that follows, until the other side ends it. */
	follow(response: ServerResponse, headers: Readonly<Record<string, string>>): void;
}

/** @param stuckMs how long one may take for a step */
export function createEvents(view: Pick<DaemonView, "status" | "subscribe">, stuckMs: number): Events {
	const followers = new Set<Follower>();
	let unsubscribe: (() => void) | undefined;
	let beat: NodeJS.Timeout | undefined;
	let pending: NodeJS.Timeout | undefined;
	/** When the next look may be, in the clock of `performance.now()`. */
	let nextMs = 0;

	const send = (follower: Follower, text: string) => {
		if (follower.response.write(text)) return;
		follower.stuck = setTimeout(() => follower.response.destroy(), stuckMs);
	};

	/** Tells everybody who can take it; @param isBeat also that there is nothing to tell */
	const look = (isBeat: boolean) => {
		pending = undefined;
		const beginMs = performance.now();
		const now = view.status();
		/** Most have the same. */
		const texts = new Map<DaemonStatus, string>();
		for (const follower of followers) {
			if (follower.stuck !== undefined) continue;
			const text = texts.get(follower.last) ?? textOf(changesBetween(follower.last, now));
			texts.set(follower.last, text);
			follower.last = now;
			if (text !== "" || isBeat) send(follower, text === "" ? ":\n\n" : text);
		}
		const endMs = performance.now();
		nextMs = endMs + Math.max(PAUSE_MS, PAUSE_FACTOR * (endMs - beginMs));
	};

	const soon = () => {
		pending ??= setTimeout(look, Math.max(0, nextMs - performance.now()), false);
	};

	const begin = () => {
		unsubscribe = view.subscribe(soon);
		beat = setInterval(look, BEAT_MS, true);
	};
	const end = () => {
		unsubscribe?.();
		clearInterval(beat);
		clearTimeout(pending);
		pending = undefined;
	};

	return {
		follow(response, headers) {
			const last = view.status();
			const follower: Follower = { response, last, stuck: undefined };
			response.writeHead(200, { ...headers, "content-type": "text/event-stream" });
			if (followers.size === 0) begin();
			followers.add(follower);
			response.on("drain", () => {
				clearTimeout(follower.stuck);
				follower.stuck = undefined;
				// what came meanwhile
				soon();
			});
			response.once("close", () => {
				clearTimeout(follower.stuck);
				followers.delete(follower);
				if (followers.size === 0) end();
			});
			send(follower, `retry: 2000\n${textOf([{ event: "status", data: last }])}`);
		},
	};
}

/** JSON has no line breaks of its own. */
const textOf = (changes: ReturnType<typeof changesBetween>): string =>
	changes.map(({ event, data }) => `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`).join("");
