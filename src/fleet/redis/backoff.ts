/** The pauses between attempts to reach Redis: doubled from 50 ms to 1 s, each a little different. Pure. */

const FIRST_MS = 50;
const LAST_MS = 1000;

/** How much a pause may differ, so that the hosts of a fleet do not come back in step. */
const JITTER = 0.3;

/**
 * The pause after so many failures in a row, in milliseconds.
 * @param failures 1 after the first
 * @param random from 0 to below 1
 */
export function reconnectDelayMs(failures: number, random: number): number {
	const baseMs = Math.min(LAST_MS, FIRST_MS * 2 ** Math.min(failures - 1, 10));
	return Math.round(baseMs * (1 - JITTER + 2 * JITTER * random));
}
