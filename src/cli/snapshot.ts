/** What listens now and what follows from it, once and without a daemon: for `ls` and `render`. */

import { pino } from "pino";
import type { DesiredSet } from "../backends/backend.js";
import type { Config } from "../config/schema.js";
import { createResolver } from "../identity/resolver.js";
import { createPipeline, type JudgedListener } from "../pipeline.js";
import { openKernel } from "../sensor/kernel.js";
import { bootTimeNs } from "../sensor/libbpf.js";

export interface Snapshot {
	readonly listeners: readonly JudgedListener[];
	readonly desired: DesiredSet;
}

/**
 * Reads the kernel's table once, judged by the configuration.
 *
 * @throws SolistendError when the host lacks what the sensor needs.
 */
export function takeSnapshot(config: Config): Snapshot {
	const kernel = openKernel();
	try {
		const pipeline = createPipeline({
			config,
			resolver: createResolver(),
			presenceOf: () => "unknown",
			log: pino({ enabled: false }),
			now: () => performance.now(),
			bootTimeNs,
			onChange: () => undefined,
			requestRead: () => undefined,
		});
		kernel.seed();
		pipeline.onRead(kernel.read());
		pipeline.close();
		return { listeners: pipeline.listeners(), desired: pipeline.desired() ?? [] };
	} finally {
		kernel.close();
	}
}
