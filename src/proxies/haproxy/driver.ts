/**
 * The driver of HAProxy. Single servers are changed through the Runtime API, at once; the file follows, checked by HAProxy
 * itself; only what no command can change takes a reload, by the command or the master socket, verified over the runtime
 * socket.
 */

import { type DesiredSet, placeOf } from "../../backends/backend.js";
import type { ProxyConfig } from "../../config/schema.js";
import { SolistendError } from "../../errors.js";
import { outputFiles, readOutput } from "../atomic-write.js";
import { templateContext } from "../context.js";
import type { CompareOptions, Driver, FastLane, Outcome, ServerAddress } from "../driver.js";
import type { Template } from "../render.js";
import { runTransaction, type Transact } from "../transaction.js";
import { type Assignment, createBoard } from "./board.js";
import { commandsOf, type ServerStep } from "./commands.js";
import { openComparison } from "./comparison.js";
import { declaredAddresses, parseDeclared } from "./declared.js";
import { switchChecksOn } from "./fallback.js";
import { fastOutcome, runServerSteps } from "./fast-lane.js";
import { createFollow } from "./follow.js";
import { type LiveServers, readLive } from "./live.js";
import { type HaproxyActual, type HaproxyStep, planHaproxy, type Wanted } from "./plan.js";
import { renderHaproxy, slotContext } from "./rendering.js";
import type { Slot } from "./slots.js";
import { haproxyTransaction } from "./transaction.js";
import { watchWorker } from "./watch-worker.js";

export interface HaproxyOptions {
	readonly proxy: ProxyConfig;
	/** Name of this host, for templates. */
	readonly host: string;
	readonly template: Template;
	/** Who carries transactions out; default: this process. */
	readonly transact?: Transact | undefined;
}

/** What a read found, and when it began. */
interface Found extends HaproxyActual {
	readonly mark: number;
}

/** A driver; between calls it remembers what the running HAProxy has. */
export function createHaproxyDriver(options: HaproxyOptions): Driver<Found, HaproxyStep> {
	const { proxy, host, template, transact = runTransaction } = options;
	const board = createBoard();
	/** The text of the file, as it was read or written last. */
	let inFile: string | undefined;
	/**
	 * A reload that is not verified yet. What the worker after it has, it must have by the file: a server that a command
	 * brought would hide that it does not read that.
	 */
	let awaited: Pick<Extract<HaproxyStep, { kind: "reload" }>, "oldWorker"> | undefined;
	/** One that was opened and never used leaves everything to whoever is. */
	let isUsed = false;
	const follow = createFollow((service, slot) => {
		const slots = new Map([[service.name, [slotContext(slot, service.weight)]]]);
		return template.render(templateContext(proxy, host, [service], slots));
	});
	const fast: FastLane<HaproxyStep> = {
		async apply(refs, wanted, signal) {
			let missing: string | undefined;
			const changes = refs.flatMap((ref) => {
				const change = board.worker === undefined ? undefined : board.change(ref, wanted(ref), proxy.fallbackChecks);
				if (change === undefined) {
					missing ??= `${ref.service}/${ref.id} takes a plan`;
					return [];
				}
				return [{ ref, name: `${ref.service}/${ref.id}`, ...change }];
			});
			const trouble = await runServerSteps(
				proxy,
				board,
				changes.flatMap(({ steps }) => steps),
				signal,
			);
			for (const { ref, slot } of changes) if (slot !== undefined) follow.changed(ref.service, slot);
			const outcome = fastOutcome(changes, trouble);
			return outcome.kind === "applied" && missing !== undefined
				? { ...outcome, kind: "behind", why: missing }
				: outcome;
		},
		follow() {
			const text = board.worker === undefined ? undefined : follow.text();
			if (text === undefined) return undefined;
			return text === inFile ? [] : [{ kind: "write", text }];
		},
	};

	return {
		async read(signal) {
			isUsed = true;
			const mark = board.mark();
			const [file, live] = await Promise.all([outputFiles(proxy.output).then(readOutput), readLive(proxy, signal)]);
			return { file, live, mark };
		},
		serversOf({ file, live }) {
			const declared = parseDeclared(file.text ?? "").backends;
			return live.state === "known"
				? liveAddresses(new Map([...live.servers].filter(([backend]) => declared.has(backend))))
				: declaredAddresses(declared);
		},
		take({ file, live, mark }) {
			const { byOthers, isSame } = board.take(live, mark);
			return { byOthers, isSame: isSame && file.confirmed && file.text !== undefined && file.text === inFile };
		},
		plan({ file, live }, desired) {
			const isKnown = live.state === "known";
			const actual = { file, live: isKnown ? { ...live, servers: board.servers } : live };
			const { wanted: asEver, slots } = renderHaproxy(options, actual, desired, board.refused);
			const isUnverified = awaited !== undefined && isKnown && live.worker !== awaited.oldWorker;
			const wanted = isUnverified ? { ...asEver, dynamic: NONE } : asEver;
			inFile = file.text;
			if (isKnown) board.assign(assignments(wanted, slots));
			follow.planned(wanted.text, wanted.next, desired);
			if (wanted.text === file.text) follow.written(wanted.text);
			return planHaproxy(actual, wanted);
		},
		describe: (step) => describe(proxy, step),
		async run(steps, signal) {
			const write = steps.find((step) => step.kind === "write");
			const reload = steps.find((step) => step.kind === "reload");
			const changes = steps.filter((step): step is ServerStep => step.kind !== "write" && step.kind !== "reload");
			const [deletions, urgent] = [changes.filter(isDeletion), changes.filter((step) => !isDeletion(step))];
			const beginMs = performance.now();
			const trouble = await runServerSteps(proxy, board, urgent, signal);
			const runtimeMs = urgent.length > 0 ? { runtime: performance.now() - beginMs } : {};
			if (trouble !== undefined) return runtimeFailure(trouble, runtimeMs);
			let outcome: Outcome = { kind: "applied", stagesMs: {} };
			if (write !== undefined || reload !== undefined) {
				awaited = reload;
				try {
					outcome = await transact(haproxyTransaction(proxy, write?.text, reload), signal);
				} finally {
					awaited = undefined;
				}
			}
			if (outcome.kind === "applied" && write !== undefined) {
				inFile = write.text;
				follow.written(write.text);
			}
			// Last, and whatever comes of it: one that still has connections is deleted another time.
			if (outcome.kind === "applied") await runServerSteps(proxy, board, deletions, signal);
			return { ...outcome, stagesMs: { ...runtimeMs, ...outcome.stagesMs } };
		},
		...(proxy.runtimeSocket !== undefined && {
			fast,
			watch: (onRestart: () => void) => watchWorker(proxy, () => board.worker, onRestart),
			compare: (how: CompareOptions) => openComparison(proxy, how),
		}),
		async close() {
			if (isUsed && proxy.fallbackChecks && proxy.mode === "apply") await switchChecksOn(proxy);
		},
		serversIn: (text) => declaredAddresses(parseDeclared(text).backends),
	};
}

const NONE: ReadonlySet<string> = new Set();

const isDeletion = ({ kind }: ServerStep): boolean => kind === "delete";

/** The services whose slots can be changed one by one. */
function assignments({ next, last, dynamic, aims }: Wanted, slots: ReadonlyMap<string, readonly Slot[]>): Assignment[] {
	return [...slots].flatMap(([service, of]) => {
		// A template that names its servers otherwise, and a backend that our file has not brought to HAProxy yet, are
		// followed by plans alone.
		if (!aims.has(service) || !last.backends.has(service)) return [];
		const sample = next.backends.get(service)?.get(of[0]?.name ?? "");
		return [{ service, slots: of, add: dynamic.has(service) ? { options: sample?.options ?? "" } : undefined }];
	});
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
			const place = admin === "maint" ? undefined : placeOf(address);
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
