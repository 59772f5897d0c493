/**
 * One question to one listener, over the network: an HTTP request, or no more than a connection. From the network
 * namespace of this process, and over a connection of its own each time. Knows nothing of who asks, or how often.
 */

import type { IncomingMessage } from "node:http";
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
	const { http } = question.ready;
	// loaded for the first such gate only: without one its memory stays free
	const open = http === undefined ? connection(question) : request(question, http, await import("node:http"));
	if (signal.aborted) return ENDED;
	return new Promise((resolve) => {
		const exchange = open((answer) => end(answer));
		const end = bounded(exchange, timeoutMs, signal, resolve);
	});
};

const ENDED: Answer = { isReady: false, said: "not answered yet" };

/** Begins, and says later what was answered; whoever began it ends it. */
type Opening = (take: (answer: Answer) => void) => Exchange;

/** What both kinds of question are: something that can be destroyed at any time. */
interface Exchange {
	destroy(): unknown;
	on(event: "error", listener: (error: unknown) => void): unknown;
}

function connection({ address, port }: Question): Opening {
	return (take) => connect({ host: address, port }).once("connect", () => take({ isReady: true, said: "connected" }));
}

function request({ address, port, host, ready }: Question, path: string, { get }: typeof import("node:http")): Opening {
	const { from, to } = ready.status;
	const headers = { host, connection: "close", "user-agent": `solistend/${version}` };
	return (take) => {
		const onHead = ({ statusCode = 0 }: IncomingMessage) =>
			take({ isReady: from <= statusCode && statusCode <= to, said: `status ${statusCode}` });
		// a 101 comes as an upgrade, and would count as no answer otherwise
		return get({ host: address, port, path, headers, agent: false }, onHead).once("upgrade", onHead);
	};
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
	const onAbort = () => end(ENDED);
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
