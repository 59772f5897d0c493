/**
 * The driver of HAProxy. Single servers are changed through the Runtime API, at once; the file follows, checked by HAProxy
 * itself; only what no command can change takes a reload, by the command or the master socket, verified over the runtime
 * socket.
 */

import { setTimeout as sleep } from "node:timers/promises";
import type { DesiredSet } from "../../backends/backend.js";
import type { ProxyConfig } from "../../config/schema.js";
import { SolistendError } from "../../errors.js";
import { outputFiles, readOutput } from "../atomic-write.js";
import { checker } from "../check.js";
import { runCommand } from "../command.js";
import type { CompareOptions, Driver, OperatorChange, Outcome, ServerAddress } from "../driver.js";
import type { Template } from "../render.js";
import { runTransaction } from "../transaction.js";
import { createBoard } from "./board.js";
import { commandsOf, type ServerStep } from "./commands.js";
import { openComparison } from "./comparison.js";
import { declaredAddresses, parseDeclared, splitHostPort } from "./declared.js";
import { switchChecksOn } from "./fallback.js";
import { createFastLane, runServerSteps } from "./fast-lane.js";
import { type LiveServers, missingFrom, readLive } from "./live.js";
import { reloadByMaster } from "./master.js";
import { type HaproxyActual, type HaproxyStep, planHaproxy } from "./plan.js";
import { renderHaproxy } from "./rendering.js";
import { watchWorker } from "./watch-worker.js";

export interface HaproxyOptions {
	readonly proxy: ProxyConfig;
	/** Name of this host, for templates. */
	readonly host: string;
	readonly template: Template;
}

/** What a read found, and when it began. */
interface Found extends HaproxyActual {
	readonly mark: number;
	readonly operator: readonly OperatorChange[];
}

type ReloadStep = Extract<HaproxyStep, { kind: "reload" }>;

/** Waits between two looks at the live state after a reload: doubled from the first to the last. */
const VERIFY_PAUSE_MS = { first: 2, last: 100 } as const;

/** A driver; between calls it remembers what the running HAProxy has. */
export function createHaproxyDriver(options: HaproxyOptions): Driver<Found, HaproxyStep> {
	const { proxy } = options;
	const board = createBoard();
	const check = checker(proxy);
	/** One that was opened and never used leaves everything to whoever is. */
	let isUsed = false;
	const current = ({ file, live, mark }: Found): HaproxyActual =>
		live.state === "known" ? { file, live: { ...live, servers: board.overlay(live, mark) } } : { file, live };

	return {
		async read(signal) {
			isUsed = true;
			const mark = board.mark();
			const [file, live] = await Promise.all([outputFiles(proxy.output).then(readOutput), readLive(proxy, signal)]);
			return { file, live, mark, operator: board.take(live, mark) };
		},
		serversOf({ file, live }) {
			const declared = parseDeclared(file.text ?? "").backends;
			return live.state === "known"
				? liveAddresses(new Map([...live.servers].filter(([backend]) => declared.has(backend))))
				: declaredAddresses(declared);
		},
		operatorChanges: ({ operator }) => operator,
		plan(found, desired) {
			const actual = current(found);
			const { wanted, slots } = renderHaproxy(options, actual, desired);
			if (actual.live.state === "known") {
				board.assign(
					[...slots].flatMap(([service, of]) => {
						const servers = wanted.next.backends.get(service);
						// A template that names its servers otherwise, and a backend that our file has not brought to HAProxy yet,
						// are followed by plans alone.
						if (servers === undefined || !of.every(({ name }) => servers.has(name))) return [];
						if (!wanted.last.backends.has(service)) return [];
						const sample = servers.get(of[0]?.name ?? "");
						const add = wanted.dynamic.has(service) ? { options: sample?.options ?? "" } : undefined;
						return [{ service, slots: of, add }];
					}),
				);
			}
			return planHaproxy(actual, wanted);
		},
		describe: (step) => describe(proxy, step),
		async run(steps, signal) {
			const write = steps.find((step) => step.kind === "write");
			const reload = steps.find((step) => step.kind === "reload");
			const changes = steps.filter((step): step is ServerStep => step.kind !== "write" && step.kind !== "reload");
			const beginMs = performance.now();
			const trouble = await runServerSteps(proxy, board, changes, signal);
			const runtimeMs = changes.length > 0 ? { runtime: performance.now() - beginMs } : {};
			if (trouble !== undefined) return runtimeFailure(trouble, runtimeMs);
			if (write === undefined && reload === undefined) return { kind: "applied", stagesMs: runtimeMs };
			const outcome = await runTransaction(
				{
					output: proxy.output,
					...(write !== undefined && { text: write.text }),
					...(check !== undefined && { check }),
					...(reload !== undefined && {
						reload: (output: string, abort: AbortSignal) => reloadHaproxy(proxy, output, abort),
						verify: (abort: AbortSignal) => verify(proxy, reload, abort),
					}),
				},
				signal,
			);
			return { ...outcome, stagesMs: { ...runtimeMs, ...outcome.stagesMs } };
		},
		...(proxy.runtimeSocket !== undefined && {
			fast: createFastLane(proxy, board),
			watch: (onRestart: () => void) => watchWorker(proxy, onRestart),
			compare: (how: CompareOptions) => openComparison(proxy, how),
		}),
		async close() {
			if (isUsed && proxy.fallbackChecks && proxy.mode === "apply") await switchChecksOn(proxy);
		},
		serversIn: (text) => declaredAddresses(parseDeclared(text).backends),
	};
}

/** The text that a driver would write now. */
export async function previewHaproxy(options: HaproxyOptions, desired: DesiredSet): Promise<string> {
	const { proxy } = options;
	const file = await outputFiles(proxy.output).then(readOutput);
	const live = await readLive(proxy, AbortSignal.timeout(proxy.timeout));
	return renderHaproxy(options, { file, live }, desired).wanted.text;
}

function liveAddresses(live: LiveServers): ServerAddress[] {
	return [...live].flatMap(([service, servers]) =>
		[...servers.values()].flatMap(({ address, admin }) => {
			const place = admin === "maint" ? undefined : splitHostPort(address);
			return place === undefined ? [] : [{ service, ...place }];
		}),
	);
}

function runtimeFailure(why: string, stagesMs: { readonly runtime?: number }): Outcome {
	return {
		kind: "failed",
		stage: "runtime",
		error: new SolistendError("proxy", why),
		serving: "what it had, with the changes that it took",
		stagesMs,
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

function describe({ output, reload, masterSocket }: ProxyConfig, step: HaproxyStep): string {
	switch (step.kind) {
		case "write":
			return `write ${output} (${Buffer.byteLength(step.text)} bytes)`;
		case "reload": {
			const servers = [...step.declared.values()].reduce((sum, { size }) => sum + size, 0);
			const byMaster = masterSocket === undefined ? "whatever will be configured" : `the master socket ${masterSocket}`;
			return `reload by ${reload?.join(" ") ?? byMaster}, then verify ${servers} servers in ${step.declared.size} backends`;
		}
		default:
			return commandsOf(step).join("; ");
	}
}
