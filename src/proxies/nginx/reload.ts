/**
 * A reload of Nginx, by command or SIGHUP, and whether it worked. A master that can not load its configuration keeps its
 * workers and tells only its error log; one that can starts new ones and has the old ones shut down. Knows nothing of
 * files.
 */

import { setTimeout as sleep } from "node:timers/promises";
import type { ProxyConfig } from "../../config/schema.js";
import { messageOf, SolistendError } from "../../errors.js";
import { runCommand } from "../command.js";
import { isLeaving, type Master, readMaster } from "./master.js";

type Reloaded = Pick<ProxyConfig, "name" | "reload" | "pidFile" | "timeout">;

/** Between two looks at the workers: doubled from the first to the last. */
const LOOK_AGAIN_MS = { first: 5, last: 100 } as const;

/**
 * Reloads; returns the processes that there were before.
 * @throws SolistendError when the command fails or there is nobody to signal.
 */
export async function reloadNginx(proxy: Reloaded, output: string, signal: AbortSignal): Promise<Master> {
	const { name, reload: command, pidFile, timeout: timeoutMs } = proxy;
	const before = await readMaster(pidFile);
	if (command !== undefined) {
		await runCommand({ what: "reload", command, output, timeoutMs, signal });
		return before;
	}
	switch (before.state) {
		case "running":
			hangUp(before.pid);
			return before;
		case "down":
			throw new SolistendError("proxy", `cannot reload Nginx: ${before.why}`);
		case "unknown":
			throw new SolistendError("config", `cannot reload proxy ${name}: it has no reload and no pidFile (set one)`);
		default:
			return before satisfies never;
	}
}

function hangUp(pid: number): void {
	try {
		process.kill(pid, "SIGHUP");
	} catch (error) {
		const mend = "run solistend as root or as Nginx's user, or give it a reload command";
		throw new SolistendError(
			"proxy",
			`cannot reload Nginx: cannot signal process ${pid}: ${messageOf(error)} (${mend})`,
			{
				cause: error,
			},
		);
	}
}

/**
 * Resolves when a new worker serves and every one from before is gone or shuts down; at once without a pid file, as there
 * is nobody to look at.
 * @throws SolistendError when that is not so in time.
 */
export async function verifyNginx({ pidFile, timeout }: Reloaded, before: Master, signal: AbortSignal): Promise<void> {
	const deadlineMs = performance.now() + timeout;
	for (let pauseMs: number = LOOK_AGAIN_MS.first; ; pauseMs = Math.min(pauseMs * 2, LOOK_AGAIN_MS.last)) {
		const trouble = await lacking(before, await readMaster(pidFile));
		if (trouble === undefined) return;
		if (performance.now() + pauseMs > deadlineMs) {
			throw new SolistendError("proxy", `Nginx did not take the new file within ${timeout} ms: ${trouble}`);
		}
		await sleep(pauseMs, undefined, { signal });
	}
}

/** What is not as it should be after a reload. */
async function lacking(before: Master, now: Master): Promise<string | undefined> {
	if (now.state === "unknown") return undefined;
	if (now.state === "down") return now.why;
	// Another master was started since, and has read the new file.
	const old = before.state === "running" && before.pid === now.pid ? before.workers : [];
	if (now.workers.every((worker) => old.includes(worker))) {
		return "it has no new worker (its error log says why; does the reload command reload this Nginx?)";
	}
	const leaving = await Promise.all(old.map(isLeaving));
	const staying = old.filter((_, index) => !leaving[index]);
	return staying.length === 0 ? undefined : `its old worker ${staying[0]} still serves`;
}
