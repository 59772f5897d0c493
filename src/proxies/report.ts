/**
 * What the log says of a proxy: one line per applied change, and failures without a flood: the first one, when it is
 * another, and at growing intervals. Knows nothing of how changes are applied.
 */

import type { Logger } from "pino";
import type { ServerDiff } from "./driver.js";

/** Longest list in a line; a start may bring thousands of servers. */
const LISTED = 100;

/** At the longest pause between attempts, about once an hour. */
const REPEATS_PER_LINE = 120;

export interface AppliedLine extends ServerDiff {
	readonly reload: boolean;
	/** Milliseconds of each stage. */
	readonly stagesMs: Readonly<Record<string, number>>;
	/** From when the change was known here. */
	readonly totalMs: number;
	/** From the kernel's event, where there was one. */
	readonly sinceKernelMs: number | undefined;
}

export interface Trouble {
	readonly why: string;
	readonly retryInMs: number;
}

export interface Reporter {
	applied(line: AppliedLine): void;
	/** `isFirst`: the proxy has nothing of it yet, so all of it would come at once, whatever changes meanwhile. */
	observed(line: ServerDiff & { readonly steps: readonly string[]; readonly isFirst: boolean }): void;
	failed(trouble: Trouble & { readonly serving: string }): void;
	unreachable(trouble: Trouble): void;
	/** The proxy has what it should have. */
	fine(): void;
}

export function createReporter(log: Logger, proxy: string): Reporter {
	/** The trouble that lasts, and how often it was met. */
	let lasting: { readonly key: string; count: number } | undefined;
	let observedBefore = "";

	const trouble = (level: "warn" | "error", message: string, key: string, fields: object) => {
		lasting = { key, count: lasting?.key === key ? lasting.count + 1 : 1 };
		const { count } = lasting;
		if (!isTold(count)) return;
		log[level]({ proxy, ...fields, ...(count > 1 && { times: count }) }, message);
	};

	return {
		applied({ joined, left, reload, stagesMs, totalMs, sinceKernelMs }) {
			// A file that only follows what is live already is no news.
			const level = joined.length + left.length > 0 || reload ? "info" : "debug";
			log[level](
				{
					proxy,
					joined: listed(joined),
					left: listed(left),
					reload,
					stagesMs: Object.fromEntries(Object.entries(stagesMs).map(([name, ms]) => [name, rounded(ms)])),
					totalMs: rounded(totalMs),
					...(sinceKernelMs !== undefined && { sinceKernelMs: rounded(sinceKernelMs) }),
				},
				"applied",
			);
		},
		observed({ joined, left, steps, isFirst }) {
			const now = isFirst ? "first" : JSON.stringify([joined, left, steps]);
			if (now === observedBefore) return;
			observedBefore = now;
			log.info({ proxy, joined: listed(joined), left: listed(left), steps }, "would apply");
		},
		failed({ why, serving, retryInMs }) {
			trouble("error", "not applied", why, { reason: why, serving, retryInMs });
		},
		unreachable({ why, retryInMs }) {
			trouble("warn", "proxy unreachable", why, { reason: why, retryInMs });
		},
		fine() {
			if (lasting !== undefined) log.info({ proxy }, "recovered");
			lasting = undefined;
		},
	};
}

/** The 1st, 2nd, 4th, 8th … time, and then now and again. */
function isTold(count: number): boolean {
	return Number.isInteger(Math.log2(count)) || count % REPEATS_PER_LINE === 0;
}

function listed(names: readonly string[]): readonly string[] {
	return names.length <= LISTED ? names : [...names.slice(0, LISTED), `and ${names.length - LISTED} more`];
}

function rounded(ms: number): number {
	return Math.round(ms * 10) / 10;
}
