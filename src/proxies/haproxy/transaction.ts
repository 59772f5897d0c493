/**
 * A new file for HAProxy: checked by HAProxy itself, loaded by the command or the master socket, and verified over the
 * runtime socket. Knows nothing of what led to it.
 */

import { setTimeout as sleep } from "node:timers/promises";
import type { ProxyConfig } from "../../config/schema.js";
import { SolistendError } from "../../errors.js";
import { checker } from "../check.js";
import { runCommand } from "../command.js";
import type { Transaction } from "../transaction.js";
import { missingFrom, readLive } from "./live.js";
import { reloadByMaster } from "./master.js";
import type { HaproxyStep } from "./plan.js";

type Reload = Omit<Extract<HaproxyStep, { kind: "reload" }>, "kind">;

/** Waits between two looks at the live state after a reload: doubled from the first to the last. */
const VERIFY_PAUSE_MS = { first: 2, last: 100 } as const;

/**
 * The transaction of a proxy.
 * @param text absent when the file is right already
 * @param reload absent when nobody needs to read it now
 */
export function haproxyTransaction(proxy: ProxyConfig, text: string | undefined, reload?: Reload): Transaction {
	return {
		output: proxy.output,
		text,
		check: checker(proxy),
		...(reload !== undefined && {
			reload: (output: string, signal: AbortSignal) => reloadHaproxy(proxy, output, signal),
			verify: (signal: AbortSignal) => verify(proxy, reload, signal),
		}),
	};
}

async function reloadHaproxy(proxy: ProxyConfig, output: string, signal: AbortSignal): Promise<void> {
	const { reload: command, masterSocket, timeout: timeoutMs } = proxy;
	if (command !== undefined) return runCommand({ what: "reload", command, output, timeoutMs, signal });
	if (masterSocket !== undefined) return reloadByMaster({ socket: masterSocket, timeoutMs, signal });
	throw new SolistendError(
		"config",
		`cannot reload proxy ${proxy.name}: it has no reload and no masterSocket (set one)`,
	);
}

/** Resolves when another worker than before serves everything that the file declares. */
async function verify(proxy: ProxyConfig, { declared, oldWorker }: Reload, signal: AbortSignal): Promise<void> {
	if (proxy.runtimeSocket === undefined) return;
	const deadlineMs = performance.now() + proxy.timeout;
	for (let pauseMs: number = VERIFY_PAUSE_MS.first; ; pauseMs = Math.min(pauseMs * 2, VERIFY_PAUSE_MS.last)) {
		const live = await readLive(proxy, signal);
		// The master has confirmed the reload; without a runtime socket there is nobody to ask more.
		if (live.state === "unknown") return;
		const trouble =
			live.state !== "known"
				? live.why
				: live.worker === oldWorker
					? "the old worker still answers (does the reload command reload this HAProxy?)"
					: lacks(missingFrom(live.servers, declared), proxy.output);
		if (trouble === undefined) return;
		if (performance.now() + pauseMs > deadlineMs) {
			throw new SolistendError("proxy", `HAProxy did not take the new file within ${proxy.timeout} ms: ${trouble}`);
		}
		await sleep(pauseMs, undefined, { signal });
	}
}

function lacks(missing: readonly string[], output: string): string | undefined {
	if (missing.length === 0) return undefined;
	const more = missing.length > 1 ? ` and ${missing.length - 1} more` : "";
	return `its new worker has no ${missing[0]}${more} (does HAProxy load ${output}? start it with -f ${output})`;
}
