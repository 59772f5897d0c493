/**
 * The settle policy: when changes may be acted on. The first one after quiet goes through at once; what follows is
 * gathered until nothing changed for `quiet`, or until `max` after the first gathered one. Pure: time is an argument.
 */

/** Both in milliseconds. */
export interface SettlePolicy {
	/** No change for so long means that it is over. */
	readonly quiet: number;
	/** Nothing gathered waits longer than this. */
	readonly max: number;
}

/** What happened so far; all times in milliseconds of one clock. */
export interface SettleState {
	/** The last change or act before the waiting ones; undefined when there was none. */
	readonly activeMs: number | undefined;
	/** The changes that were not acted on yet. */
	readonly waiting: { readonly firstMs: number; readonly lastMs: number } | undefined;
}

/** Nothing has changed yet. */
export const SETTLED: SettleState = { activeMs: undefined, waiting: undefined };

/** Something changed. */
export function changed({ activeMs, waiting }: SettleState, nowMs: number): SettleState {
	return { activeMs, waiting: { firstMs: waiting?.firstMs ?? nowMs, lastMs: nowMs } };
}

/** Everything that changed up to now is being acted on. */
export function acted({ activeMs, waiting }: SettleState, nowMs: number): SettleState {
	return { activeMs: waiting === undefined ? activeMs : nowMs, waiting: undefined };
}

/** Whether what waits is the first change after quiet. */
export function isFirst({ activeMs, waiting }: SettleState, quiet: number): boolean {
	return waiting !== undefined && (activeMs === undefined || waiting.firstMs - activeMs >= quiet);
}

/** When to act next; in the past when it is overdue, undefined when nothing changed. */
export function dueAtMs({ activeMs, waiting }: SettleState, { quiet, max }: SettlePolicy): number | undefined {
	if (waiting === undefined) return undefined;
	if (isFirst({ activeMs, waiting }, quiet)) return waiting.firstMs;
	return Math.min(waiting.lastMs + quiet, waiting.firstMs + max);
}
