/** A client that keeps asking while things change, and counts what it got. */

import { setTimeout as pause } from "node:timers/promises";
import { ask } from "./http.js";

export interface Client {
	readonly asked: number;
	/** Requests that were not answered with 200. */
	readonly failed: number;
	/** Stops asking; resolves when the last answer is in. */
	close(): Promise<void>;
}

const PAUSE_MS = 20;

/** Asks one request after the other, each over a connection of its own, until it is closed. */
export function startClient(url: string): Client {
	const counts = { asked: 0, failed: 0 };
	let isClosed = false;
	const run = async () => {
		while (!isClosed) {
			const isGood = await ask(url).then(
				({ status }) => status === 200,
				() => false,
			);
			counts.asked += 1;
			if (!isGood) counts.failed += 1;
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
		async close() {
			isClosed = true;
			await ran;
		},
	};
}
