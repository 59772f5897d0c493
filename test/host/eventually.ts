/** Waiting for a condition of the outside world that nobody announces. Knows nothing of what it waits for. */

import { setTimeout as pause } from "node:timers/promises";
import { messageOf } from "../../src/errors.js";

export interface EventuallyOptions {
	readonly timeoutMs?: number;
	readonly everyMs?: number;
	readonly signal?: AbortSignal | undefined;
}

/**
 * Asks again and again until `probe` gives something other than `undefined` or `false`, and returns that.
 *
 * @param what the condition in words, for the error
 * @param probe may throw: that counts as "not yet", and the last such error is the cause of the time-out
 * @throws Error when it did not hold within `timeoutMs` (default 10 s), or the reason of `signal`
 */
export async function eventually<T>(
	what: string,
	probe: () => T | undefined | false | Promise<T | undefined | false>,
	{ timeoutMs = 10_000, everyMs = 10, signal }: EventuallyOptions = {},
): Promise<T> {
	const deadline = performance.now() + timeoutMs;
	let trouble: unknown;
	while (true) {
		signal?.throwIfAborted();
		try {
			const value = await probe();
			if (value !== undefined && value !== false) return value;
			trouble = undefined;
		} catch (error) {
			trouble = error;
		}
		if (performance.now() > deadline) {
			const last = trouble === undefined ? "" : ` (last: ${messageOf(trouble)})`;
			throw new Error(`${what}: not within ${timeoutMs / 1000} s${last}`, { cause: trouble });
		}
		await pause(everyMs, undefined, { signal }).catch(() => signal?.throwIfAborted());
	}
}
