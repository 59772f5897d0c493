/**
 * The driver of HAProxy by file and reload: renders, checks with HAProxy itself, swaps, reloads by the command or the
 * master socket, and verifies over the runtime socket that a new worker serves what the file declares.
 */

import { setTimeout as sleep } from "node:timers/promises";
import type { ProxyConfig } from "../../config/schema.js";
import { SolistendError } from "../../errors.js";
import { outputFiles, readOutput } from "../atomic-write.js";
import { runCommand } from "../command.js";
import { templateContext } from "../context.js";
import type { Driver } from "../driver.js";
import type { Template } from "../render.js";
import { runTransaction } from "../transaction.js";
import { declaredAddresses, parseDeclared } from "./declared.js";
import { missingFrom, readLive } from "./live.js";
import { reloadByMaster } from "./master.js";
import { type HaproxyActual, type HaproxyStep, planHaproxy } from "./plan.js";

export interface HaproxyOptions {
	readonly proxy: ProxyConfig;
	/** Name of this host, for templates. */
	readonly host: string;
	readonly template: Template;
}

type ReloadStep = Extract<HaproxyStep, { kind: "reload" }>;

/** Waits between two looks at the live state after a reload: doubled from the first to the last. */
const VERIFY_PAUSE_MS = { first: 2, last: 100 } as const;

/** A driver; it holds nothing between calls. */
export function createHaproxyDriver({ proxy, host, template }: HaproxyOptions): Driver<HaproxyActual, HaproxyStep> {
	return {
		async read(signal) {
			const [file, live] = await Promise.all([outputFiles(proxy.output).then(readOutput), readLive(proxy, signal)]);
			return { file, live };
		},
		serversOf: ({ file }) => declaredAddresses(parseDeclared(file.text ?? "")),
		plan: (actual, desired) => planHaproxy(actual, template.render(templateContext(proxy, host, desired))),
		describe: (step) => describe(proxy, step),
		run(steps, signal) {
			const write = steps.find((step) => step.kind === "write");
			const reload = steps.find((step) => step.kind === "reload");
			return runTransaction(
				{
					output: proxy.output,
					...(write !== undefined && { text: write.text }),
					...(proxy.check !== undefined && { check: checker(proxy, proxy.check) }),
					...(reload !== undefined && {
						reload: (output: string, abort: AbortSignal) => reloadHaproxy(proxy, output, abort),
						verify: (abort: AbortSignal) => verify(proxy, reload, abort),
					}),
				},
				signal,
			);
		},
		async close() {},
	};
}

function checker(proxy: ProxyConfig, command: readonly string[]) {
	return (candidate: string, signal: AbortSignal) =>
		runCommand({ what: "check", command, output: candidate, timeoutMs: proxy.timeout, signal });
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
async function verify(proxy: ProxyConfig, { declared, oldWorker }: ReloadStep, signal: AbortSignal): Promise<void> {
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

function describe({ name, output, reload, masterSocket }: ProxyConfig, step: HaproxyStep): string {
	switch (step.kind) {
		case "write":
			return `${name}: write ${output} (${Buffer.byteLength(step.text)} bytes)`;
		case "reload": {
			const servers = [...step.declared.values()].reduce((sum, { size }) => sum + size, 0);
			const how = reload?.join(" ") ?? `the master socket ${masterSocket}`;
			return `${name}: reload by ${how}, then verify ${servers} servers in ${step.declared.size} backends`;
		}
		default:
			return step satisfies never;
	}
}
