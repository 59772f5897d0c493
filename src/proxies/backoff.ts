/** The pauses between attempts that fail: doubled from 1 s to 30 s, each a little different. Pure. */

const FIRST_MS = 1000;
const LAST_MS = 30_000;

/** How much a pause may differ, so that the proxies of many hosts do not try in step. */
const JITTER = 0.2;

/**
 * The pause after so many failures in a row, in milliseconds.
 * @param failures 1 after the first
 * @param random from 0 to below 1
 */
export function retryDelayMs(failures: number, random: number): number {
	const baseMs = Math.min(LAST_MS, FIRST_MS * 2 ** Math.min(failures - 1, 10));
	return Math.round(baseMs * (1 - JITTER + 2 * JITTER * random));
}
