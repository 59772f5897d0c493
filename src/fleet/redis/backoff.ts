/** The pauses between attempts to reach Redis: doubled from 50 ms, each a little different. Pure. */

const FIRST_MS = 50;
/** The longest, whatever the lease is. */
const LAST_MS = 1000;

/** As a share of a lease: who may renew again does so well before somebody takes its lease for over. */
const SHARE = 0.25;

/** How much a pause may differ, so that the hosts of a fleet do not come back in step. */
const JITTER = 0.3;

/**
 * The pause after so many failures in a row, in milliseconds.
 * @param failures 1 after the first
 * @param random from 0 to below 1
 * @param lease of the host, in milliseconds
 */
export function reconnectDelayMs(failures: number, random: number, lease = Number.POSITIVE_INFINITY): number {
	const baseMs = Math.min(LAST_MS, lease * SHARE, FIRST_MS * 2 ** Math.min(failures - 1, 10));
	return Math.round(baseMs * (1 - JITTER + 2 * JITTER * random));
}
