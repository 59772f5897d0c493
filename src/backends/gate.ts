/**
 * What a listener has to answer before it joins, and the gate that is shut until it did. Pure values; who asks, and when,
 * is known elsewhere.
 */

import type { ReadyConfig } from "../config/schema.js";
import type { Backend } from "./backend.js";

/** What one listener is asked. */
export interface Question {
	/** Where it is asked: the address and port of its backend. */
	readonly address: string;
	readonly port: number;
	/** The name by which an HTTP request asks: a header `Host`. */
	readonly host: string;
	readonly ready: ReadyConfig;
}

/** A gate that is shut: the endpoint leads to its backend, which is not in for that. One that opens is there no more. */
export interface Gate {
	/** `waiting`: it is being asked. `failed`: it did not answer in time, and is asked no more. */
	readonly state: "waiting" | "failed";
	/**
	 * Why it is not in, as a clause, with what it answered last.
	 *
	 * @param nowMs in the clock of the pools
	 */
	why(nowMs: number): string;
}

/**
 * @param hosts the service's names; one that stands for many can't be asked for
 */
export function questionOf({ address, port }: Backend, ready: ReadyConfig, hosts: readonly string[] = []): Question {
	const literal = address.includes(":") ? `[${address}]` : address;
	return { address, port, host: hosts.find((host) => !host.includes("*")) ?? `${literal}:${port}`, ready };
}
