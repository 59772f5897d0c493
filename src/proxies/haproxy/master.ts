/**
 * HAProxy's master CLI (`haproxy -W -S PATH`): reloads, and knows whether that worked. From 2.7 on the answer says so;
 * before, `reload` answers nothing, and the list of processes has to be compared.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { SolistendError } from "../../errors.js";
import { askSocket, type SocketAnswer } from "./runtime-api.js";

export interface MasterOptions {
	/** Path of the master socket. */
	readonly socket: string;
	readonly timeoutMs: number;
	readonly signal: AbortSignal;
}

/** `show proc`, as far as it tells of reloads. */
export interface ShownProcesses {
	/** Workers with the newest configuration. */
	readonly workers: readonly number[];
	/** Those that still end their connections. */
	readonly oldWorkers: readonly number[];
	/** Failed reloads since the last one that worked. */
	readonly failed: number;
}

/** Between two looks, when the first came too soon. */
const LOOK_AGAIN_MS = 20;

/** Asks for the list of processes. The master CLI keeps the connection open after an answer: `quit` ends it. */
export function askProcesses({ socket, timeoutMs, signal }: MasterOptions): Promise<SocketAnswer> {
	return askSocket({ socket, command: "show proc;quit", timeoutMs, signal });
}

/**
 * Reloads, and resolves when the new worker is there.
 * @throws SolistendError when the master can't be asked, says no, or shows no new worker in time.
 */
export async function reloadByMaster(options: MasterOptions): Promise<void> {
	const { socket, timeoutMs, signal } = options;
	const deadlineMs = performance.now() + timeoutMs;
	const before = await askProcesses(options);
	if (!before.ok) throw new SolistendError("proxy", `cannot reload HAProxy: ${before.why}`);
	const { workers, oldWorkers, failed } = parseProcesses(before.text);
	const known = new Set([...workers, ...oldWorkers]);

	const answer = await askSocket({ socket, command: "reload", timeoutMs, signal, openEnd: true });
	if (answer.ok) {
		if (/^Success=1$/m.test(answer.text)) return;
		throw refused(answer.text.replace(/^Success=0\n--\n/m, ""));
	}
	if (answer.trouble !== "closed") throw new SolistendError("proxy", `cannot reload HAProxy: ${answer.why}`);

	// The master executes itself anew; until it accepts again, the question waits in the socket's backlog.
	for (;;) {
		const remainingMs = deadlineMs - performance.now();
		const asked = remainingMs > 0 ? await askProcesses({ ...options, timeoutMs: remainingMs }) : undefined;
		if (asked?.ok) {
			const now = parseProcesses(asked.text);
			if (now.workers.some((pid) => !known.has(pid))) return;
			if (now.failed > failed) throw refused("its log says why");
		}
		if (remainingMs <= 0) {
			throw new SolistendError(
				"proxy",
				`HAProxy shows no new worker ${timeoutMs} ms after the reload (look at its log)`,
			);
		}
		await sleep(LOOK_AGAIN_MS, undefined, { signal });
	}
}

function refused(why: string): SolistendError {
	const said = why
		.split("\n")
		.filter((line) => /alert|error|fatal|fail|log/i.test(line))
		.slice(0, 3)
		.join("; ");
	return new SolistendError("proxy", `HAProxy refused the reload and keeps its configuration: ${said || why.trim()}`);
}

/** Reads `show proc`. @throws SolistendError when it is something else. */
export function parseProcesses(text: string): ShownProcesses {
	const workers: number[] = [];
	const oldWorkers: number[] = [];
	let failed: number | undefined;
	let section = "";
	for (const line of text.split("\n")) {
		if (line.startsWith("#")) section = line;
		const [, pid, type] = /^(\d+)\s+(\w+)/.exec(line) ?? [];
		if (type === "master") failed = Number(/\[failed: (\d+)\]/.exec(line)?.[1] ?? 0);
		if (type === "worker") (section.startsWith("# old") ? oldWorkers : workers).push(Number(pid));
	}
	if (failed === undefined) {
		throw new SolistendError(
			"proxy",
			`cannot read HAProxy's answer to "show proc": it says "${text.trim().split("\n")[0] ?? ""}" (is this the master socket?)`,
		);
	}
	return { workers, oldWorkers, failed };
}
