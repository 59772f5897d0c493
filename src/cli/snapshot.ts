/** What listens now and what follows from it, once and without a daemon: for `ls` and `render`. */

import { EventEmitter, once } from "node:events";
import { pino } from "pino";
import type { DesiredSet } from "../backends/backend.js";
import type { Config } from "../config/schema.js";
import type { Container } from "../identity/container.js";
import { followEngine } from "../identity/engine/follow.js";
import { ownAddresses } from "../identity/namespaces.js";
import { createResolver } from "../identity/resolver.js";
import { createPipeline, type JudgedListener } from "../pipeline.js";
import { openKernel } from "../sensor/kernel.js";
import { bootTimeNs } from "../sensor/libbpf.js";
import { peekState } from "../state.js";

/** Longest wait for what an engine's list lacks. */
const INSPECTS_MS = 5000;

export interface Snapshot {
	readonly listeners: readonly JudgedListener[];
	readonly desired: DesiredSet;
}

/**
 * Reads the kernel's table once, judged by the configuration, by what the last daemon kept, and by what the container
 * engine says, if one is configured and answers.
 *
 * @throws SolistendError when the host lacks what the sensor needs.
 */
export async function takeSnapshot(config: Config): Promise<Snapshot> {
	const log = pino({ enabled: false });
	const remembered = await peekState(config.state);
	const kernel = openKernel();
	const news = new EventEmitter();
	const engine = followEngine({
		log,
		onChange(changes) {
			pipeline.onContainers(changes);
			news.emit("containers");
		},
	});
	const pipeline = createPipeline({
		config,
		resolver: createResolver({ lookup: engine.lookup, isAsking: engine.isAsking }),
		containers: engine.containers,
		remembered,
		presenceOf: () => "unknown",
		log,
		now: () => performance.now(),
		bootTimeNs,
		onChange: () => undefined,
		ownAddresses,
		requestRead: () => undefined,
	});
	try {
		await engine.follow(config.discovery.docker);
		await engine.listed();
		await inspected(engine.containers, news);
		kernel.seed();
		pipeline.onRead(kernel.read());
		pipeline.close();
		return { listeners: pipeline.listeners(), desired: pipeline.desired() ?? [] };
	} finally {
		await engine.close();
		kernel.close();
	}
}

/** Resolves when all containers of the list were inspected: only that tells of their environment and exposed ports. */
async function inspected(containers: () => Iterable<Container>, news: EventEmitter): Promise<void> {
	const late = new AbortController();
	const timer = setTimeout(() => late.abort(), INSPECTS_MS);
	try {
		while ([...containers()].some(({ env }) => env === undefined)) {
			await once(news, "containers", { signal: late.signal });
		}
	} catch (error) {
		// what is known by then has to do
		if (!late.signal.aborted) throw error;
	} finally {
		clearTimeout(timer);
	}
}
