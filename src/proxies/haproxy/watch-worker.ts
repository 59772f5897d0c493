/**
 * Notices that HAProxy was reloaded, started anew or is back, by whomever. Asked over its own socket, since a process id
 * means nothing across pid namespaces and an old worker stays for as long as its connections do.
 */

import type { ProxyConfig } from "../../config/schema.js";
import { askSocket, parseInfo } from "./runtime-api.js";

/** One question a second: a fifth of a millisecond of HAProxy's time. */
const LOOK_MS = 1000;

/** Calls `onRestart` when another worker answers than the last time, or one answers again. Does not keep the process alive. */
export function watchWorker(
	{ runtimeSocket: socket, timeout: timeoutMs }: Pick<ProxyConfig, "runtimeSocket" | "timeout">,
	onRestart: () => void,
): { close(): void } {
	const closing = new AbortController();
	let worker: string | undefined;
	let isFirst = true;
	let timer: NodeJS.Timeout | undefined;

	const look = async () => {
		if (socket === undefined) return;
		const answer = await askSocket({ socket, command: "show info", timeoutMs, signal: closing.signal });
		const now = answer.ok ? workerOf(answer.text) : undefined;
		if (!isFirst && now !== undefined && now !== worker) onRestart();
		worker = now;
		isFirst = false;
	};
	const again = () => {
		if (closing.signal.aborted) return;
		timer = setTimeout(() => {
			look().then(again, again);
		}, LOOK_MS);
		timer.unref();
	};
	look().then(again, again);
	return {
		close() {
			closing.abort();
			clearTimeout(timer);
		},
	};
}

/** Undefined when the answer is something else: whoever plans tells of it. */
function workerOf(text: string): string | undefined {
	try {
		return parseInfo(text).worker;
	} catch {
		return undefined;
	}
}
