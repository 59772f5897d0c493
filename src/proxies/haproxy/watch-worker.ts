/**
 * Notices that HAProxy was reloaded, started anew or is back, by whomever. Asked over its own socket, since a process id
 * means nothing across pid namespaces and an old worker stays for as long as its connections do.
 */

import type { ProxyConfig } from "../../config/schema.js";
import { askAtOnce } from "../../unix-socket.js";
import { askSocket, parseInfo } from "./runtime-api.js";

/** From the end of one look to the next: as long as a reload by somebody else may go unnoticed. */
const LOOK_MS = 2000;

const COMMAND = "show info";
/** HAProxy answers within half a millisecond; one that is busy is asked in the way that waits. */
const AT_ONCE_MS = 2;
/** Some three times of what HAProxy 3.0 says. */
const ROOM = 16 * 1024;

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
		const now = workerAtOnce(socket) ?? (await workerLater(socket));
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
	const workerLater = async (at: string) => {
		const answer = await askSocket({ socket: at, command: COMMAND, timeoutMs, signal: closing.signal });
		return answer.ok ? workerOf(answer.text) : undefined;
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

function workerAtOnce(socket: string): string | undefined {
	const text = askAtOnce(socket, Buffer.from(`${COMMAND}\n`), ROOM, AT_ONCE_MS)?.toString("utf8");
	return text?.endsWith("\n\n") ? workerOf(text) : undefined;
}

/** Undefined when the answer is something else: whoever plans tells of it. */
function workerOf(text: string): string | undefined {
	try {
		return parseInfo(text).worker;
	} catch {
		return undefined;
	}
}
