/**
 * How often a proxy may be reloaded: not more than once per `reloadInterval`, but a removal (a backend that is gone and
 * would fail requests) may use a small burst. Every reload leaves an old worker behind until its connections end, so
 * the burst is paid back. Pure: time is an argument.
 */

/** Reloads that removals may do in a row. */
export const REMOVAL_BURST = 3;

/** A bucket of tokens, as of the last reload; undefined before the first one. */
export type ReloadLimiter = { readonly lastMs: number; readonly tokens: number } | undefined;

/** When the next reload is allowed; in the past when it is allowed now. */
export function reloadAllowedAtMs(limiter: ReloadLimiter, removal: boolean, intervalMs: number): number {
	if (limiter === undefined) return Number.NEGATIVE_INFINITY;
	if (!removal) return limiter.lastMs + intervalMs;
	return limiter.lastMs + Math.max(0, 1 - limiter.tokens) * intervalMs;
}

/** A reload was begun. */
export function reloaded(limiter: ReloadLimiter, nowMs: number, intervalMs: number): ReloadLimiter {
	return { lastMs: nowMs, tokens: Math.max(0, tokensAt(limiter, nowMs, intervalMs) - 1) };
}

/** One token comes back per interval. */
function tokensAt(limiter: ReloadLimiter, nowMs: number, intervalMs: number): number {
	if (limiter === undefined || intervalMs === 0) return REMOVAL_BURST;
	return Math.min(REMOVAL_BURST, limiter.tokens + (nowMs - limiter.lastMs) / intervalMs);
}
