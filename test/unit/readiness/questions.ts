/** Questions, and listeners that answer them as a test tells them to. */

import type { Question } from "../../../src/backends/gate.js";
import { type ReadyConfig, readySchema } from "../../../src/config/schema.js";
import type { Answer, Probe } from "../../../src/readiness/probe.js";

export const ready = (settings: object = { http: "/healthz" }): ReadyConfig => readySchema.parse(settings);

export function questionAt(address: string, settings?: object): Question {
	return { address, port: 80, host: "www.example.org", ready: ready(settings) };
}

/** Listeners, by `address:port`: what each says, `ready` or else; one that has nothing to say never answers. */
export function createListeners() {
	const says = new Map<string, string>();
	/** Whom each question went to, in order. */
	const asked: string[] = [];
	let open = 0;
	let most = 0;
	const probe: Probe = async ({ address, port }, timeoutMs, signal) => {
		const place = `${address}:${port}`;
		asked.push(place);
		most = Math.max(most, ++open);
		const said = says.get(place);
		const answer = said === undefined ? await silence(timeoutMs, signal) : { isReady: said === "ready", said };
		open--;
		return answer;
	};
	return {
		says,
		asked,
		probe,
		/** How many questions are under way, and were at most. */
		get open() {
			return open;
		},
		get most() {
			return most;
		},
	};
}

function silence(timeoutMs: number, signal: AbortSignal): Promise<Answer> {
	return new Promise((resolve) => {
		const end = (said: string) => {
			clearTimeout(timer);
			resolve({ isReady: false, said });
		};
		const timer = setTimeout(() => end("no answer"), timeoutMs);
		signal.addEventListener("abort", () => end("ended"), { once: true });
	});
}
