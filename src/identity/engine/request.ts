/**
 * One question to a container engine: GET over its unix socket, bounded in time and size. Knows HTTP and what goes wrong
 * on a socket; not what the answers mean.
 */

import type { ClientRequest, IncomingMessage } from "node:http";
import { messageOf } from "../../errors.js";

/** Where an engine is asked. */
export interface EngineSocket {
	/** Path of the unix socket. */
	readonly socket: string;
	readonly signal: AbortSignal;
}

export interface AskOptions extends EngineSocket {
	/** Without a version: Docker and Podman take that as the newest that they speak. */
	readonly path: string;
	/** Milliseconds for the whole exchange. */
	readonly timeoutMs: number;
	/** Bytes of the longest answer that is read. */
	readonly maxBytes: number;
}

/**
 * What came of a question. `why` is a clause that follows the engine's name, as in "Docker at /run/docker.sock does not
 * answer (5 s)".
 */
export type EngineAnswer =
	| { readonly state: "ok"; readonly json: unknown }
	/** 404. */
	| { readonly state: "absent" }
	/** It answered, and not with what was asked for. */
	| { readonly state: "nonsense"; readonly why: string }
	/** It did not answer, or not to the end. */
	| { readonly state: "failed"; readonly why: string };

/** A response whose headers are there; its body is still to come. */
export interface Opened {
	readonly request: ClientRequest;
	readonly response: IncomingMessage;
}

export type Opening =
	| { readonly state: "ok"; readonly opened: Opened }
	| { readonly state: "failed"; readonly why: string };

/** The path in what the configuration calls `discovery.docker`, `unix:///run/docker.sock`. */
export const socketPath = (docker: string) => docker.replace(/^unix:\/\//, "");

/** Longest text of an error that is read and shown. */
const MAX_SAID = 200;

/** Sends a GET and waits for the headers. Never rejects. */
export async function openRequest({ socket, path, signal }: EngineSocket & { path: string }): Promise<Opening> {
	// Loaded with the first engine that is asked: it takes memory, which a host without one need not spend.
	const { get } = await import("node:http");
	return new Promise((resolve) => {
		// Without an agent there is nothing to keep, and no timer that keeps it.
		const request = get({ socketPath: socket, path, agent: false, signal, headers: { host: "engine" } }, (response) =>
			resolve({ state: "ok", opened: { request, response } }),
		);
		// Stays for the life of the request: an error after the headers is the reader's, and must not be unhandled.
		request.on("error", (error) => resolve({ state: "failed", why: troubleOf(error) }));
	});
}

/** A signal that follows another, and is aborted when an exchange takes too long. */
export interface Deadline {
	readonly signal: AbortSignal;
	/** What came of it failed because it took too long. */
	isMissed(): boolean;
	/** It is in time; the other signal still counts. */
	meet(): void;
	release(): void;
}

/** Not AbortSignal.any: in Node 20 that leaves something behind at a signal that lives as long as the daemon. */
export function deadline(parent: AbortSignal, timeoutMs: number): Deadline {
	const controller = new AbortController();
	let isMissed = false;
	const timer = setTimeout(() => {
		isMissed = true;
		controller.abort();
	}, timeoutMs);
	const follow = () => controller.abort();
	parent.addEventListener("abort", follow, { once: true });
	if (parent.aborted) follow();
	const meet = () => clearTimeout(timer);
	return {
		signal: controller.signal,
		isMissed: () => isMissed,
		meet,
		release() {
			meet();
			parent.removeEventListener("abort", follow);
		},
	};
}

/** Asks, and reads the answer as JSON. Never rejects; when the signal is aborted the answer is `failed`. */
export async function askEngine({ socket, path, signal, timeoutMs, maxBytes }: AskOptions): Promise<EngineAnswer> {
	const bound = deadline(signal, timeoutMs);
	try {
		const opening = await openRequest({ socket, path, signal: bound.signal });
		const answer = opening.state === "ok" ? await readAnswer(opening.opened, maxBytes) : opening;
		return answer.state === "failed" && bound.isMissed() ? { state: "failed", why: doesNotAnswer(timeoutMs) } : answer;
	} finally {
		bound.release();
	}
}

export const doesNotAnswer = (timeoutMs: number) => `does not answer (${timeoutMs / 1000} s)`;

async function readAnswer({ request, response }: Opened, maxBytes: number): Promise<EngineAnswer> {
	const { statusCode = 0 } = response;
	const isFine = statusCode === 200;
	const chunks: Buffer[] = [];
	let length = 0;
	try {
		for await (const chunk of response) {
			if (!(chunk instanceof Buffer)) continue;
			chunks.push(chunk);
			length += chunk.length;
			if (isFine && length > maxBytes) return { state: "nonsense", why: `answers with more than ${maxBytes} bytes` };
			if (!isFine && length > MAX_SAID) break;
		}
	} catch (error) {
		return { state: "failed", why: `hung up in the middle of its answer (${messageOf(error)})` };
	} finally {
		request.destroy();
	}
	if (statusCode === 404) return { state: "absent" };
	// Whatever is no UTF-8 becomes U+FFFD: text of containers is never trusted anyway.
	const text = Buffer.concat(chunks).toString("utf8");
	if (!isFine)
		return { state: "failed", why: `answers ${statusCode}: ${JSON.stringify(text.slice(0, MAX_SAID).trim())}` };
	try {
		return { state: "ok", json: JSON.parse(text) };
	} catch {
		return { state: "nonsense", why: `answers what is no JSON: ${JSON.stringify(text.slice(0, 40))}` };
	}
}

/** Why a socket gave no answer, with the mend. connect(2), unix(7). */
function troubleOf(error: Error): string {
	switch ("code" in error ? error.code : undefined) {
		case "ENOENT":
		case "ENOTDIR":
			return "cannot be reached: there is no such socket (is it running, and is this its socket?)";
		case "ECONNREFUSED":
			return "cannot be reached: nobody listens on this socket (is it running?)";
		case "EACCES":
		case "EPERM":
			return "cannot be reached: the socket may not be opened (put the user that runs solistend in the socket's group)";
		case "ECONNRESET":
		case "EPIPE":
			return "hung up before it answered";
		default:
			return `cannot be asked: ${messageOf(error)}`;
	}
}
