/**
 * A conversation with HAProxy's runtime socket: several lines over one fresh connection (the interactive mode of the
 * management guide), each answered before its prompt. Never kept: a connection that was open before a reload goes on
 * talking to the old worker.
 */

import { connect } from "node:net";
import { messageOf, SolistendError } from "../../errors.js";

export interface SessionOptions {
	/** Path of the unix socket. */
	readonly socket: string;
	/** For the whole conversation. */
	readonly timeoutMs: number;
	readonly signal: AbortSignal;
}

/** Sends commands, all at once, and gives the answer to each, without the empty lines around it. */
export type Ask = (commands: readonly string[]) => Promise<string[]>;

const PROMPT = "\n> ";

/** Longest answer to a question; a batch has some hundred characters a server. */
const MAX_ANSWER = 16 * 1024 * 1024;

/**
 * Opens a conversation, has it, and ends it.
 * @throws SolistendError when the socket can't be opened, closes early or does not answer in time; the signal's reason.
 */
export function converse<T>({ socket, timeoutMs, signal }: SessionOptions, talk: (ask: Ask) => Promise<T>): Promise<T> {
	return new Promise((resolve, reject) => {
		signal.throwIfAborted();
		const connection = connect(socket);
		let text = "";
		let isInteractive = false;
		let waiting: { count: number; done: (answers: string[]) => void } | undefined;

		const end = () => {
			clearTimeout(timer);
			signal.removeEventListener("abort", onAbort);
			connection.destroy();
		};
		const fail = (why: string, cause?: unknown) => {
			end();
			reject(new SolistendError("proxy", `cannot change HAProxy's servers: ${socket} ${why}`, { cause }));
		};
		const onAbort = () => {
			end();
			reject(signal.reason);
		};
		const timer = setTimeout(
			() => fail(`did not answer within ${timeoutMs} ms (is HAProxy busy or stopped?)`),
			timeoutMs,
		);
		signal.addEventListener("abort", onAbort, { once: true });

		const deliver = () => {
			if (waiting === undefined) return;
			const answers = text.split(PROMPT);
			// What follows the last prompt is not complete yet.
			if (answers.length <= waiting.count) return;
			const { count, done } = waiting;
			waiting = undefined;
			text = answers.slice(count).join(PROMPT);
			done(answers.slice(0, count).map((answer) => answer.trim()));
		};
		const send: Ask = (lines) =>
			new Promise((done) => {
				waiting = { count: lines.length, done };
				connection.write(`${lines.join("\n")}\n`);
			});
		const ask: Ask = async (commands) => {
			if (isInteractive) return send(commands);
			isInteractive = true;
			const [, ...answers] = await send(["prompt", ...commands]);
			return answers;
		};

		connection.setEncoding("utf8");
		connection.on("data", (chunk: string) => {
			text += chunk;
			if (text.length > MAX_ANSWER) fail(`answered with more than ${MAX_ANSWER} characters`);
			else deliver();
		});
		connection.on("error", (error) => fail(`can not be used: ${messageOf(error)}`, error));
		connection.on("close", () => fail("was closed before all was answered (was HAProxy stopped?)"));
		// At once: what is written goes out with the connection.
		talk(ask).then(
			(result) => {
				end();
				resolve(result);
			},
			(error) => {
				end();
				reject(error);
			},
		);
	});
}
