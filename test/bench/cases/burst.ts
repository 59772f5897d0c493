/** Many backends that start to listen at once, where slots suffice. */

import { setTimeout as pause } from "node:timers/promises";
import { openEdge } from "../../host/edge.js";
import { beside, type Section } from "../figure.js";
import { startApp } from "../rig/app.js";
import { startProbe } from "../rig/probe.js";
import { workersStarted } from "../rig/workers.js";
import { summary } from "../statistics.js";

const BACKENDS = 100;
const RUNS = 10;
const FIRST = 8000;
const OTHER = FIRST - 1;
const QUIET_MS = 500;
const GOAL_MS = 50;

export async function burst(): Promise<Section> {
	const match = { port: `${OTHER}-${FIRST + BACKENDS - 1}`, netns: `slt-${process.pid}-web-*` };
	await using edge = await openEdge({
		services: { web: { match } },
		settings: { flap: false },
		proxy: { slots: { min: 128 } },
	});
	const { owned, segment, runtimeSocket } = edge;
	const probe = owned.own(await startProbe());
	const beginning = await segment.addNetns("web-other");
	const other = owned.own(await startApp({ name: "other", netns: beginning, port: OTHER }));
	const netns = await segment.addNetns("web-many");
	const app = owned.own(await startApp({ name: "many", netns, port: FIRST, count: BACKENDS }));
	await other.listen();
	await edge.startDaemon();
	await probe.count(runtimeSocket, "web", OTHER, 1);

	const workers = workersStarted(edge.haproxy);
	const times: number[] = [];
	const spreads: number[] = [];
	for (let run = 0; run < RUNS; run++) {
		await pause(QUIET_MS);
		const allIn = probe.count(runtimeSocket, "web", FIRST, BACKENDS);
		const { firstMs, lastMs } = await app.listen();
		const seenMs = await allIn;
		if (seenMs === undefined) throw new Error(`${BACKENDS} backends are not in the pool within 10 s`);
		times.push(seenMs - lastMs);
		spreads.push(lastMs - firstMs);
		await pause(QUIET_MS);
		await app.shut();
		for (let port = FIRST; port < FIRST + BACKENDS; port++)
			await probe.server(runtimeSocket, "web", netns.address, port, "out");
	}
	const reloads = workersStarted(edge.haproxy) - workers;
	return {
		title: `${BACKENDS} backends at once`,
		text: `One process listens on ${BACKENDS} ports in a row, with \`slots: {min: 128}\`; another looks in a loop until HAProxy's Runtime API
has all of them in. ${RUNS} times, p50 / p99 / max.`,
		figures: [
			{
				what: "the last listen() → all are in the pool",
				measured: summary(times),
				goal: `≤ ${GOAL_MS} ms`,
				met: Math.max(...times) <= GOAL_MS,
			},
			beside("– the first listen() → the last", summary(spreads)),
			{ what: `reloads, in ${RUNS} times in and out`, measured: String(reloads), goal: "0", met: reloads === 0 },
		],
	};
}
