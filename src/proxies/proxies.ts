/**
 * All proxies of a configuration, each with its driver and its loop; replaced one by one when their configuration or
 * their template changes. Knows nothing of where backends come from.
 */

import { isDeepStrictEqual } from "node:util";
import type { Logger } from "pino";
import type { Backend, BackendRef, DesiredChange, DesiredSet } from "../backends/backend.js";
import type { Config, ProxyConfig } from "../config/schema.js";
import { transactByUnit } from "./apply/by-unit.js";
import { outputFiles, readOutput } from "./atomic-write.js";
import type { LoopCounts } from "./counts.js";
import type { Compared, Comparison, Driver, OperatorChange, ServerAddress } from "./driver.js";
import { type Loop, openLoop, type ProxyStatus } from "./loop.js";
import { openDriver, tryTemplate } from "./open.js";
import { createOutputLocks } from "./output-locks.js";

/** One proxy that hangs must not keep the others waiting. */
const ADOPT_TIMEOUT_MS = 2000;

export interface ProxiesOptions {
	readonly config: Config;
	/** Where templates are looked for, the first one first. */
	readonly folders: readonly string[];
	/** The newest desired set; undefined while it is not known. */
	desired(): DesiredSet | undefined;
	/** The newest word on one backend; undefined: it is out. */
	backend(ref: BackendRef): Backend | undefined;
	/** Takes in what a person told a proxy itself. */
	onOperator(changes: readonly OperatorChange[]): void;
	/** What a proxy has from an earlier run, before its loop begins. */
	adopt(servers: readonly ServerAddress[]): void;
	readonly log: Logger;
	/** What `status` tells of a proxy may be another. */
	onStatus?(): void;
}

export interface Proxies {
	/** Begins: every proxy is looked at, and made equal to the desired set. */
	start(): Promise<void>;
	/** Resolves when each proxy was dealt with once, whatever came of it. */
	readonly firstRound: Promise<void>;
	/** The desired set changed. */
	notify(change: DesiredChange): void;
	/** Looks whether the proxies still have what they were given. */
	look(): void;
	status(): ProxyReport[];
	/**
	 * Goes over to another configuration; proxies that it does not change go on as they are, unless templates did.
	 * `take` is called once nothing can fail any more, before a changed proxy asks for its desired set.
	 *
	 * @throws SolistendError when a template is wrong or another daemon writes an output; then everything stays as it was.
	 */
	reconfigure(config: Config, folders: readonly string[], templatesChanged: boolean, take: () => void): Promise<void>;
	close(): Promise<void>;
}

/** What is to be told of a proxy. */
export interface ProxyReport extends LoopCounts {
	readonly name: string;
	readonly type: ProxyConfig["type"];
	readonly mode: ProxyConfig["mode"];
	readonly status: ProxyStatus;
	/** Of one that is observed, where it has checks of its own. */
	readonly compared?: Compared;
}

interface Prepared {
	readonly proxy: ProxyConfig;
	readonly host: string;
	readonly driver: Driver;
}

interface Running extends Prepared {
	readonly loop: Loop;
	readonly comparison: Comparison | undefined;
}

/**
 * Opens the drivers of all proxies and locks their outputs; nothing runs yet.
 *
 * @throws SolistendError when a template is not there or is wrong, or another daemon writes an output.
 */
export async function openProxies(options: ProxiesOptions): Promise<Proxies> {
	const { config, folders, desired, backend, onOperator, adopt, log, onStatus } = options;
	const running = new Map<string, Running>();
	const locks = createOutputLocks();
	let settle = config.settle;
	let state = config.state;
	let firstRound: Promise<void> = Promise.resolve();

	const prepare = ({ proxies, services, host }: Config, among: readonly string[]): Promise<Prepared[]> =>
		Promise.all(
			proxies.map(async (proxy) => {
				await tryTemplate(proxy, host, among, services);
				const { name, mode, apply, output } = proxy;
				const transact = apply === "unit" ? transactByUnit({ name, state: () => state }) : undefined;
				const driver = await openDriver(proxy, host, among, transact);
				return { proxy, host, driver: mode === "apply" && apply === "direct" ? locks.guard(output, driver) : driver };
			}),
		);

	/** Resolves after the first round. */
	const run = ({ proxy, host, driver }: Prepared): Promise<void> =>
		new Promise((resolve) => {
			const onChange = ({ state }: ProxyStatus) => {
				if (state !== "starting") resolve();
				onStatus?.();
			};
			const loop = openLoop({ proxy, driver, desired, backend, onOperator, settle, log, onChange });
			const comparison = proxy.mode === "observe" ? driver.compare?.({ desired, backend, log }) : undefined;
			running.set(proxy.name, { proxy, host, driver, loop, comparison });
		});

	const stop = async ({ loop, comparison }: Running) => {
		await comparison?.close();
		await loop.close();
	};

	let prepared = await prepare(config, folders);
	await locks.take(written(config));

	return {
		async start() {
			const servers = await Promise.all(prepared.map(adoptable));
			adopt(servers.flat());
			firstRound = Promise.all(prepared.map(run)).then(() => undefined);
			prepared = [];
		},
		get firstRound() {
			return firstRound;
		},
		notify(change) {
			for (const { loop, comparison } of running.values()) {
				comparison?.notify(change);
				loop.notify(change);
			}
		},
		look() {
			for (const { loop } of running.values()) loop.look();
		},
		status: () =>
			[...running.values()].map(({ proxy: { name, type, mode }, loop: { status, counts }, comparison }) => ({
				name,
				type,
				mode,
				status,
				...counts,
				...(comparison !== undefined && { compared: comparison.summary }),
			})),
		async reconfigure(next, among, templatesChanged, take) {
			const fresh = await prepare(next, among);
			await locks.take(written(next));
			settle = next.settle;
			state = next.state;
			const kept = new Set<string>();
			for (const [name, one] of running) {
				const { proxy, host, loop } = one;
				const same = fresh.some((other) => other.host === host && isDeepStrictEqual(other.proxy, proxy));
				if (same && !templatesChanged) {
					kept.add(name);
					loop.setSettle(settle);
				} else {
					await stop(one);
					running.delete(name);
				}
			}
			await locks.keep(written(next));
			take();
			for (const one of fresh) {
				if (kept.has(one.proxy.name)) await one.driver.close();
				else void run(one);
			}
		},
		async close() {
			await Promise.all([...running.values()].map(stop));
			await locks.close();
		},
	};
}

/**
 * What a proxy has from an earlier run; of one that can't be read, or does not answer soon, what its file has. What stands
 * in the way is told by the loop, which tries again.
 */
async function adoptable({ proxy, driver }: Prepared): Promise<readonly ServerAddress[]> {
	try {
		return driver.serversOf(await driver.read(AbortSignal.timeout(ADOPT_TIMEOUT_MS)));
	} catch {
		const file = await outputFiles(proxy.output)
			.then(readOutput)
			.catch(() => undefined);
		return driver.serversIn(file?.text ?? "");
	}
}

/** The outputs that are written by this process; those of `apply: unit` are root's, who locks them for each change. */
function written({ proxies }: Config): string[] {
	return proxies.filter(({ mode, apply }) => mode === "apply" && apply === "direct").map(({ output }) => output);
}
