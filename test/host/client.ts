/** A client that keeps asking while things change, and counts what it got. */

import { setTimeout as pause } from "node:timers/promises";
import { ask } from "./http.js";

export interface Client {
	readonly asked: number;
	/** Requests that were not answered with 200. */
	readonly failed: number;
	/** Those of them that an application had taken and ended without an answer (502): no proxy may ask again for it. */
	readonly cut: number;
	/** Stops asking; resolves when the last answer is in. */
	close(): Promise<void>;
}

const PAUSE_MS = 20;

/** Asks one request after the other, each over a connection of its own, until it is closed. */
export function startClient(url: string): Client {
	const counts = { asked: 0, failed: 0, cut: 0 };
	let isClosed = false;
	const run = async () => {
		while (!isClosed) {
			const status = await ask(url).then(
				(answer) => answer.status,
				() => undefined,
			);
			counts.asked += 1;
			if (status !== 200) counts.failed += 1;
			if (status === 502) counts.cut += 1;
			await pause(PAUSE_MS);
		}
	};
	const ran = run();
	return {
		get asked() {
			return counts.asked;
		},
		get failed() {
			return counts.failed;
		},
		get cut() {
			return counts.cut;
		},
		async close() {
			isClosed = true;
			await ran;
		},
	};
}
