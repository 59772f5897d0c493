/** One HTTP request over a connection of its own: what a client sees, not what a kept-alive connection remembers. */

import { get } from "node:http";

export interface Answer {
	readonly status: number;
	readonly body: string;
}

export interface AskOptions {
	readonly timeoutMs?: number;
	readonly headers?: Record<string, string>;
}

/**
 * GET, with a bound on the whole exchange.
 *
 * @throws Error when there is no complete answer within `timeoutMs`
 */
export function ask(url: string, { timeoutMs = 5000, headers = {} }: AskOptions = {}): Promise<Answer> {
	return new Promise((resolve, reject) => {
		const signal = AbortSignal.timeout(timeoutMs);
		const request = get(url, { agent: false, signal, headers }, (response) => {
			let body = "";
			response.setEncoding("utf8");
			response.on("data", (chunk: string) => {
				body += chunk;
			});
			response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
			response.on("error", reject);
		});
		request.on("error", reject);
	});
}
