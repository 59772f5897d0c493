/** Looks from outside until something is so (native/probe.c), and says when. */

import { startDialogue } from "./dialogue.js";
import { native } from "./native.js";

/** How HAProxy has a server. */
export type Place = "in" | "out" | "drain";

export interface Probe extends AsyncDisposable {
	/** An HTTP request is answered by the application of this name. Address of the proxy: default 127.0.0.1. */
	answered(port: number, name: string, patienceMs?: number, address?: string): Seen;
	server(socket: string, service: string, address: string, port: number, place: Place, patienceMs?: number): Seen;
	/** So many servers are in, at ports from `port` on. */
	count(socket: string, service: string, port: number, atLeast: number, patienceMs?: number): Seen;
	/** One of many servers, by the numbers of its proxy and its own. */
	numbered(socket: string, proxy: number, server: number, place: Place, patienceMs?: number): Seen;
	close(): Promise<void>;
}

/** When it was seen, in milliseconds of CLOCK_MONOTONIC; undefined: not within the patience. */
export type Seen = Promise<number | undefined>;

export async function startProbe(): Promise<Probe> {
	const dialogue = startDialogue([await native("probe")]);
	const look = async (...words: (string | number)[]) => {
		const [seen] = (await dialogue.ask(words.join(" "))).split(" ");
		return seen === "never" ? undefined : Number(seen) / 1e6;
	};
	return {
		answered: (port, name, patienceMs = 10_000, address = "127.0.0.1") =>
			look("answer", address, port, name, patienceMs),
		server: (socket, service, address, port, place, patienceMs = 10_000) =>
			look("server", socket, service, address, port, place, patienceMs),
		count: (socket, service, port, atLeast, patienceMs = 10_000) =>
			look("count", socket, service, port, atLeast, patienceMs),
		numbered: (socket, proxy, server, place, patienceMs = 10_000) =>
			look("stat", socket, proxy, server, place, patienceMs),
		close: dialogue.close,
		[Symbol.asyncDispose]: dialogue.close,
	};
}

/** Now, on the clock of all these processes. */
export const monotonicMs = (): number => Number(process.hrtime.bigint()) / 1e6;
