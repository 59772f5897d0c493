/**
 * Notices that HAProxy was reloaded, started anew or is back, by whomever. Asked over its own socket, since a process id
 * means nothing across pid namespaces and an old worker stays for as long as its connections do.
 */

import type { ProxyConfig } from "../../config/schema.js";
import { askSocket, parseInfo } from "./runtime-api.js";

/** A question takes about a millisecond of a CPU here, a fifth of one in HAProxy. */
const LOOK_MS = 2000;

/**
 * Calls `onRestart` when another worker answers than was read, or one answers again; once for each. Does not keep the
 * process alive.
 *
 * @param read the worker that was read last; undefined while none is known, and then the one that answered last counts
 */
export function watchWorker(
	{ runtimeSocket: socket, timeout: timeoutMs }: Pick<ProxyConfig, "runtimeSocket" | "timeout">,
	read: () => string | undefined,
	onRestart: () => void,
): { close(): void } {
	const closing = new AbortController();
	let answered: string | undefined;
	let told: string | undefined;
	let isFirst = true;
	let timer: NodeJS.Timeout | undefined;

	const look = async () => {
		if (socket === undefined) return;
		const answer = await askSocket({ socket, command: "show info", timeoutMs, signal: closing.signal });
		const now = answer.ok ? workerOf(answer.text) : undefined;
		const isOther = now !== undefined && now !== told && now !== (read() ?? answered);
		answered = now;
		if (now === undefined) told = undefined;
		// The one that answers first may be read at this moment.
		if (isOther && !isFirst) {
			told = now;
			onRestart();
		}
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
