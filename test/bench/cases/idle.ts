/** A thousand backends and nothing that happens: what knowing about them costs. */

import { setTimeout as pause } from "node:timers/promises";
import { openEdge } from "../../host/edge.js";
import { addNetns, enter } from "../../host/netns.js";
import { beside, type Section } from "../figure.js";
import { startApp } from "../rig/app.js";
import { type ChangeCounter, countChanges } from "../rig/changes.js";
import { startDialogue } from "../rig/dialogue.js";
import { native } from "../rig/native.js";
import { openPlainHaproxy } from "../rig/plain-haproxy.js";
import { type Probe, startProbe } from "../rig/probe.js";
import { cpuMs, rssMb, tcpSegments } from "../rig/usage.js";
import { workerPid } from "../rig/workers.js";
import { ms } from "../statistics.js";

const BACKENDS = 1000;
const FIRST = 10_000;
/** As long as two resyncs take to come round. */
const SECONDS = 120;
/** Until what it did at its start has passed, and what V8 does afterwards. */
const REST_MS = 45_000;
/** HAProxy spreads its checks over their interval of 2 s. */
const CHECKS_REST_MS = 5000;
const CHECKS_SECONDS = 30;
/** Whatever listens on this machine is the daemon's to look at, also what is none of this benchmark's: then it is not idle. */
const TRIES = 3;
const CPU_GOAL = 0.2;
/** With accept queues looked at once a second, and so many sockets open on the host. */
const HUNG_CPU_GOAL = 1;
const HUNG_SECONDS = 60;
const SOCKETS = 100_000;
const STOP_GOAL_MS = 2000;
/** 90 MB with nothing to do, 150 MB with 10,000 backends: 6 kB for each. */
const MEMORY_GOAL_MB = 90 + (60 * BACKENDS) / 10_000;

export async function idle(): Promise<Section> {
	const match = { port: `${FIRST}-${FIRST + BACKENDS - 1}`, netns: `slt-${process.pid}-web-*` };
	const changes = { services: { web: { match } }, proxy: { slots: { min: 1200 } } };
	await using edge = await openEdge({ ...changes, settings: { hung: false } });
	const { owned, segment, runtimeSocket } = edge;
	const probe = owned.own(await startProbe());
	const netns = await segment.addNetns("web-many");
	const app = owned.own(await startApp({ name: "ours", netns, port: FIRST, count: BACKENDS }));
	await app.listen();
	const startDaemon = async () => {
		const daemon = await edge.startDaemon();
		await allIn(probe, runtimeSocket);
		await pause(REST_MS);
		return daemon;
	};
	const daemon = await startDaemon();

	const serving = await workerPid(runtimeSocket);
	using others = await countChanges();
	const ours = await quietest(others, () => use([daemon.pid, serving], app.pid, SECONDS));
	const rss = await rssMb(daemon.pid);
	// Only now: what is compared must not be among what is measured.
	await daemon.stop();
	await edge.configure({ ...changes, settings: { hung: { after: "3s" } } });
	const apart = owned.own(await addNetns("hoard"));
	const hoard = owned.own(startDialogue([...enter(apart), await native("hoard"), "0", String(SOCKETS)]));
	await hoard.next();
	const watching = await startDaemon();
	const looking = await quietest(others, () => use([watching.pid], app.pid, HUNG_SECONDS));
	const toldMs = performance.now();
	await watching.stop();
	const stopMs = performance.now() - toldMs;
	await hoard.close();
	const ports = Array.from({ length: BACKENDS }, (_, index) => FIRST + index);
	const plain = owned.own(await openPlainHaproxy(ports.map((port) => `server${port} ${netns.address}:${port} check`)));
	await pause(CHECKS_REST_MS);
	const theirs = await use([await workerPid(plain.runtimeSocket)], app.pid, CHECKS_SECONDS);
	const [daemonShare = 0, haproxyShare = 0] = ours.shares;
	const [lookingShare = 0] = looking.shares;
	const [checkingShare = 0] = theirs.shares;
	const percent = (share: number) => `${share.toFixed(3)} % of a core`;
	return {
		title: `Idle, with ${BACKENDS} backends`,
		text: `${SECONDS} s in which nothing changes: time on a CPU of all threads, and TCP segments that reach the namespace of the
backends, with \`hung: false\`. Then the same for ${HUNG_SECONDS} s with \`hung: {after: 3s}\`, as it is by default, and ${SOCKETS.toLocaleString("en")} open TCP sockets
on the host. Where others on the machine open or close listeners meanwhile it is measured anew, ${TRIES} times at most, and the time
with the fewest of these counts. After it, without the daemon, another HAProxy checks the same backends by itself for ${CHECKS_SECONDS} s, with default
checks; what these send back are the answers to SYNs.`,
		figures: [
			{
				what: "CPU of the daemon",
				measured: percent(daemonShare),
				goal: `≤ ${CPU_GOAL} %`,
				met: daemonShare <= CPU_GOAL,
			},
			{
				what: `CPU of the daemon with \`hung\` on, ${SOCKETS.toLocaleString("en")} open sockets on the host`,
				measured: percent(lookingShare),
				goal: `≤ ${HUNG_CPU_GOAL} %`,
				met: lookingShare <= HUNG_CPU_GOAL,
			},
			beside(
				"– listeners that others opened or closed on this machine meanwhile",
				`${ours.ofOthers}, and ${looking.ofOthers}`,
			),
			beside("– CPU of its HAProxy", percent(haproxyShare)),
			{
				what: "packets to backends",
				measured: String(ours.received),
				goal: "0",
				met: ours.received === 0,
			},
			{
				what: "resident memory of the daemon",
				measured: `${rss.toFixed(1)} MB`,
				goal: `≤ ${MEMORY_GOAL_MB} MB`,
				met: rss <= MEMORY_GOAL_MB,
			},
			{
				what: "SIGTERM → its end, with all of these sockets open",
				measured: ms(stopMs),
				goal: `≤ ${STOP_GOAL_MS} ms`,
				met: stopMs <= STOP_GOAL_MS,
			},
			beside("– CPU of HAProxy with default checks", percent(checkingShare)),
			beside("– packets to its backends", `${theirs.received} (${(theirs.sent / CHECKS_SECONDS).toFixed(0)} SYN/s)`),
		],
	};
}

async function allIn(probe: Probe, runtimeSocket: string): Promise<void> {
	const seenMs = await probe.count(runtimeSocket, "web", FIRST, BACKENDS, 30_000);
	if (seenMs === undefined) throw new Error(`${BACKENDS} backends are not in the pool within 30 s`);
}

/** Measures until nobody else opened or closed a listener meanwhile; else the time in which it was fewest. */
async function quietest<T>(
	others: ChangeCounter,
	measure: () => Promise<T>,
): Promise<T & { readonly ofOthers: number }> {
	const times: (T & { readonly ofOthers: number })[] = [];
	do {
		const before = others.read();
		const measured = await measure();
		times.push({ ...measured, ofOthers: others.read() - before });
	} while (times.length < TRIES && times.every(({ ofOthers }) => ofOthers > 0));
	return times.reduce((best, time) => (time.ofOthers < best.ofOthers ? time : best));
}

/** What processes use in so long, in percent of a core each, and the TCP segments of a namespace. */
async function use(pids: readonly number[], inNetns: number, seconds: number) {
	const look = async () => ({
		cpu: await Promise.all(pids.map(cpuMs)),
		segments: await tcpSegments(inNetns),
		atMs: performance.now(),
	});
	const before = await look();
	await pause(seconds * 1000);
	const after = await look();
	return {
		shares: after.cpu.map((ms, index) => ((ms - (before.cpu[index] ?? 0)) / (after.atMs - before.atMs)) * 100),
		received: after.segments.received - before.segments.received,
		sent: after.segments.sent - before.segments.sent,
	};
}
