/** One change among ten thousand backends of a service: no work of it may grow with the rest. */

import { setTimeout as pause } from "node:timers/promises";
import { joined, left, openEdge } from "../../host/edge.js";
import { beside, type Section } from "../figure.js";
import { startApp } from "../rig/app.js";
import { startProbe } from "../rig/probe.js";
import { rssMb } from "../rig/usage.js";
import { askHaproxy, workersStarted } from "../rig/workers.js";
import { percentile, summary } from "../statistics.js";

const BACKENDS = 10_000;
const FIRST = 20_000;
const RUNS = 20;
/** The file follows meanwhile. */
const QUIET_MS = 500;
const LOOKING_MS = 3;
const GOAL_MS = 5;
const MEMORY_GOAL_MB = 150;

export async function many(): Promise<Section> {
	const match = { port: `${FIRST}-${FIRST + BACKENDS - 1}`, netns: `slt-${process.pid}-web-*` };
	await using edge = await openEdge({
		services: { web: { match } },
		settings: { flap: false },
		proxy: { slots: { min: 12_000 } },
	});
	const { owned, runtimeSocket } = edge;
	const probe = owned.own(await startProbe());
	const netns = await edge.segment.addNetns("web-many");
	const app = owned.own(await startApp({ name: "many", netns, port: FIRST, count: BACKENDS }));
	await app.listen();
	const daemon = await edge.startDaemon();
	const allInMs = await probe.count(runtimeSocket, "web", FIRST, BACKENDS, 60_000);
	if (allInMs === undefined) throw new Error(`${BACKENDS} backends are not in the pool within 60 s`);
	await pause(2000);

	const port = FIRST + BACKENDS / 2;
	const server = `web/${netns.address}:${port}`;
	const { proxyId, serverId } = await numbersOf(runtimeSocket, netns.address, port);
	const workers = workersStarted(edge.haproxy);
	const [own, outside]: [number[], number[]] = [[], []];
	for (let run = 0; run < RUNS; run++) {
		for (const place of ["out", "in"] as const) {
			await pause(QUIET_MS);
			const from = daemon.lines.length;
			const seen = probe.numbered(runtimeSocket, proxyId, serverId, place, 1000);
			await pause(LOOKING_MS);
			const { firstMs } = await (place === "out" ? app.shut(port) : app.listen(port));
			const seenMs = await seen;
			if (seenMs !== undefined) outside.push(seenMs - firstMs);
			const line = await (place === "out" ? left : joined)(daemon, server, from);
			own.push(Number(line["sinceKernelMs"]));
		}
	}
	const reloads = workersStarted(edge.haproxy) - workers;
	const rss = await rssMb(daemon.pid);
	return {
		title: `One change among ${BACKENDS.toLocaleString("en")} backends`,
		text: `All in one service. One of them closes and listens again, ${RUNS} times; the figures are of both, p50 / p99 / max. From
outside: from the system call until HAProxy's Runtime API shows the server so. By the daemon's log: from the kernel's
event until HAProxy has confirmed it.`,
		figures: [
			{
				what: `close() or listen() → seen in HAProxy, ${outside.length} times`,
				measured: summary(outside),
				goal: `p50 ≤ ${GOAL_MS} ms`,
				met: percentile(outside, 0.5) <= GOAL_MS,
			},
			{
				what: "the kernel's event → applied, by the daemon's log",
				measured: summary(own),
				goal: `p50 ≤ ${GOAL_MS} ms`,
				met: percentile(own, 0.5) <= GOAL_MS,
			},
			beside("reloads", String(reloads)),
			{
				what: "resident memory of the daemon",
				measured: `${rss.toFixed(1)} MB`,
				goal: `≤ ${MEMORY_GOAL_MB} MB`,
				met: rss <= MEMORY_GOAL_MB,
			},
		],
	};
}

/** The numbers by which `show stat` shows a server alone. */
async function numbersOf(
	socket: string,
	address: string,
	port: number,
): Promise<{ proxyId: number; serverId: number }> {
	const rows = (await askHaproxy(socket, "show servers state web")).split("\n").map((row) => row.split(" "));
	const [proxyId, , serverId] = rows.find((row) => row[4] === address && row[18] === String(port)) ?? [];
	return { proxyId: Number(proxyId), serverId: Number(serverId) };
}
