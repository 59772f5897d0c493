/**
 * One question to one listener, over the network: an HTTP request, or no more than a connection. From the network
 * namespace of this process, and over a connection of its own each time. Knows nothing of who asks, or how often.
 */

import type { ClientRequest, IncomingMessage } from "node:http";
import { connect } from "node:net";
import type { Question } from "../backends/gate.js";
import { formatDuration } from "../duration.js";
import { messageOf } from "../errors.js";
import { version } from "../version.js";

/** What came of a question. */
export interface Answer {
	/** Whether it is what was wanted. */
	readonly isReady: boolean;
	/** What was answered, or what happened instead, in a few words: `status 503`, `connection refused`. */
	readonly said: string;
}

/**
 * Asks once. Never rejects; leaves no socket and no timer behind.
 *
 * @param timeoutMs bound on the whole of it
 * @param signal ends it at once, with any answer
 */
export type Probe = (question: Question, timeoutMs: number, signal: AbortSignal) => Promise<Answer>;

export const probe: Probe = async (question, timeoutMs, signal) => {
	const { ready } = question;
	return ready.http === undefined
		? await connectTo(question, timeoutMs, signal)
		: await get(question, ready.http, timeoutMs, signal);
};

/** What both kinds of question have: a thing that is destroyed as soon as it is known what came of it. */
interface Exchange {
	destroy(): unknown;
	on(event: "error", listener: (error: unknown) => void): unknown;
}

function connectTo({ address, port }: Question, timeoutMs: number, signal: AbortSignal): Promise<Answer> {
	return new Promise((resolve) => {
		const socket = connect({ host: address, port });
		const end = bounded(socket, timeoutMs, signal, resolve);
		socket.once("connect", () => end({ isReady: true, said: "connected" }));
	});
}

async function get(
	{ address, port, host, ready }: Question,
	path: string,
	timeoutMs: number,
	signal: AbortSignal,
): Promise<Answer> {
	// loaded for the first gate alone: it takes megabytes, which a host without gates keeps
	const { request } = await import("node:http");
	if (signal.aborted) return { isReady: false, said: "not asked" };
	return new Promise((resolve) => {
		const headers = { host, connection: "close", "user-agent": `solistend/${version}` };
		const asked: ClientRequest = request({ host: address, port, path, headers, agent: false });
		const end = bounded(asked, timeoutMs, signal, resolve);
		const take = ({ statusCode = 0 }: IncomingMessage) => {
			const isReady = ready.status.from <= statusCode && statusCode <= ready.status.to;
			end({ isReady, said: `status ${statusCode}` });
		};
		asked.once("response", take);
		// 101: otherwise it would count as no answer
		asked.once("upgrade", take);
		asked.end();
	});
}

/** Sees to it that it ends: by an answer, an error, its bound or the signal, whichever is first. */
function bounded(
	exchange: Exchange,
	timeoutMs: number,
	signal: AbortSignal,
	resolve: (answer: Answer) => void,
): (answer: Answer) => void {
	const end = (answer: Answer) => {
		clearTimeout(timer);
		signal.removeEventListener("abort", onAbort);
		exchange.destroy();
		resolve(answer);
	};
	const fail = (said: string) => end({ isReady: false, said });
	const onAbort = () => fail("not answered yet");
	const timer = setTimeout(() => fail(`no answer within ${formatDuration(timeoutMs)}`), timeoutMs);
	signal.addEventListener("abort", onAbort);
	// stays: one that is destroyed may have an error to tell
	exchange.on("error", (error) => fail(inWords(error)));
	return end;
}

/** What the kernel says of a connection, as people know it. */
const WORDS: Readonly<Record<string, string>> = {
	ECONNREFUSED: "connection refused",
	ECONNRESET: "connection closed without an answer",
	EPIPE: "connection closed without an answer",
	EHOSTUNREACH: "no route to host",
	ENETUNREACH: "network unreachable",
	ETIMEDOUT: "no answer",
};

function inWords(error: unknown): string {
	const code = error instanceof Error && "code" in error ? String(error.code) : "";
	// Node's parser of HTTP
	if (code.startsWith("HPE_")) return "no HTTP answer";
	return WORDS[code] ?? messageOf(error);
}
