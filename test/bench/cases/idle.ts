/** A thousand backends and nothing that happens: what knowing about them costs. */

import { setTimeout as pause } from "node:timers/promises";
import { openEdge } from "../../host/edge.js";
import { beside, type Section } from "../figure.js";
import { startApp } from "../rig/app.js";
import { openPlainHaproxy } from "../rig/plain-haproxy.js";
import { startProbe } from "../rig/probe.js";
import { openSensor } from "../rig/sensor.js";
import { cpuMs, rssMb, tcpSegments } from "../rig/usage.js";
import { workerPid } from "../rig/workers.js";

const BACKENDS = 1000;
const FIRST = 10_000;
/** As long as two resyncs take to come round. */
const SECONDS = 120;
/** Until what it did at its start has passed, and what V8 does afterwards. */
const REST_MS = 45_000;
const CPU_GOAL = 0.2;
const MEMORY_GOAL_MB = 90;

export async function idle(): Promise<Section> {
	const match = { port: `${FIRST}-${FIRST + BACKENDS - 1}`, netns: `slt-${process.pid}-web-*` };
	await using edge = await openEdge({
		services: { web: { match } },
		proxy: { slots: { min: 1200 } },
	});
	const { owned, segment, runtimeSocket } = edge;
	const probe = owned.own(await startProbe());
	const [ours, theirs] = [await segment.addNetns("web-many"), await segment.addNetns("checked")];
	const many = { port: FIRST, count: BACKENDS };
	const app = owned.own(await startApp({ name: "ours", netns: ours, ...many }));
	const checked = owned.own(await startApp({ name: "theirs", netns: theirs, ...many }));
	await Promise.all([app.listen(), checked.listen()]);
	const ports = Array.from({ length: BACKENDS }, (_, index) => FIRST + index);
	const plain = owned.own(await openPlainHaproxy(ports.map((port) => `server${port} ${theirs.address}:${port} check`)));
	const daemon = await edge.startDaemon();
	const allInMs = await probe.count(runtimeSocket, "web", FIRST, BACKENDS, 30_000);
	if (allInMs === undefined) throw new Error(`${BACKENDS} backends are not in the pool within 30 s`);
	await pause(REST_MS);

	const pids = [daemon.pid, await workerPid(runtimeSocket), await workerPid(plain.runtimeSocket)];
	const used = () => Promise.all(pids.map(cpuMs));
	const packets = () => Promise.all([tcpSegments(app.pid), tcpSegments(checked.pid)]);
	// Whatever listens on this machine is the daemon's to look at, also what is none of this benchmark's.
	let events = 0;
	owned.own(
		openSensor({
			onEvents(batch) {
				events += batch.length;
			},
			onRead() {},
			onTrouble(message) {
				throw new Error(message);
			},
		}),
	);
	const [beforeMs, before, startedMs] = [await used(), await packets(), performance.now()];
	await pause(SECONDS * 1000);
	const [afterMs, after, tookMs] = [await used(), await packets(), performance.now() - startedMs];
	const shares = afterMs.map((ms, index) => ((ms - (beforeMs[index] ?? 0)) / tookMs) * 100);
	const [daemonShare = 0, haproxyShare = 0, checkingShare = 0] = shares;
	const grown = (which: 0 | 1, key: "received" | "sent") => after[which][key] - before[which][key];
	const percent = (share: number) => `${share.toFixed(3)} % of a core`;
	const rss = await rssMb(daemon.pid);
	return {
		title: `Idle, with ${BACKENDS} backends`,
		text: `${SECONDS} s in which nothing changes: time on a CPU of all threads, and TCP segments that reach the namespace of the
backends. Beside it another HAProxy checks as many backends in another namespace by itself, with default checks; what
these send back are the answers to SYNs.`,
		figures: [
			{
				what: "CPU of the daemon",
				measured: percent(daemonShare),
				goal: `≤ ${CPU_GOAL} %`,
				met: daemonShare <= CPU_GOAL,
			},
			beside("– listeners that others opened or closed on this machine meanwhile", String(events)),
			beside("– CPU of its HAProxy", percent(haproxyShare)),
			{
				what: "packets to backends",
				measured: String(grown(0, "received")),
				goal: "0",
				met: grown(0, "received") === 0,
			},
			{
				what: "resident memory of the daemon",
				measured: `${rss.toFixed(1)} MB`,
				goal: `≤ ${MEMORY_GOAL_MB} MB`,
				met: rss <= MEMORY_GOAL_MB,
			},
			beside("– CPU of HAProxy with default checks", percent(checkingShare)),
			beside(
				"– packets to its backends",
				`${grown(1, "received")} (${((grown(1, "sent") / tookMs) * 1000).toFixed(0)} SYN/s)`,
			),
		],
	};
}
