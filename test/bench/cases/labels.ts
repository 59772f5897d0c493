/** From a label to traffic: containers of a real Docker, and a thousand that an engine tells of. */

import { setTimeout as pause } from "node:timers/promises";
import { addContainerCgroup } from "../../host/cgroup.js";
import type { ContainerEngine } from "../../host/container-engine.js";
import type { Daemon } from "../../host/daemon.js";
import { openDocker } from "../../host/docker.js";
import { type Edge, joined, left, openEdge } from "../../host/edge.js";
import { type EngineServer, type FakeContainer, idOf, openEngineServer } from "../../host/engine-server.js";
import { eventually } from "../../host/eventually.js";
import { beside, type Figure, type Section } from "../figure.js";
import { startApp } from "../rig/app.js";
import { PORT, runContainer } from "../rig/containers.js";
import { startLoad } from "../rig/load.js";
import { type Probe, startProbe } from "../rig/probe.js";
import { cpuMs, rssMb } from "../rig/usage.js";
import { retriesOf, workersStarted } from "../rig/workers.js";
import { ms, percentile, summary } from "../statistics.js";

const RUNS = 30;
const ANSWER_GOAL_MS = 10;
/** Between the end of a container and the next. */
const QUIET_MS = 300;

const PER_SECOND = 200;
const BOOT_SECONDS = 2;
const BOOTS = 3;
const MARGIN_MS = 500;

const KNOWN = 1000;
const STARTS = 20;
/** Until what the daemon did at its start has passed, and what V8 does afterwards. */
const REST_MS = 30_000;
/** Between the creation of a container and its start, which take Docker longer than that. */
const STARTING_MS = 50;
/** After a start, until the file has followed. */
const AFTER_MS = 500;
const MEMORY_GOAL_MB = 110;

export async function labels(): Promise<Section> {
	return {
		title: "From a label to traffic",
		text: `\`docker run\` with nothing but \`solisten.service=web\`, beside two others that serve; the daemon follows a real Docker, and
HAProxy serves in the namespace of Docker's bridge. The application is the one of the other cases, mounted into the
container: it notes the time just before it calls listen(). One that listens at once does so while Docker is busy with
its start. Figures are p50 / p99 / max. Errors are all answers but 200, to a client that asks ${PER_SECOND} times a second over new
connections, while ${BOOTS} containers boot one after the other.

What a thousand containers cost is measured with an engine that is none, since a real one would take too long to start them:
it answers as Docker does, and counts what it is asked. They all run, with the labels that Compose gives and ours; then
${STARTS} more come one after the other, each with a process that listens, in a cgroup and a namespace of its own. One that
publishes ports costs a second inspect with Docker, which knows them only when it has started. The goal for memory is 20 kB
a container above what is allowed without.`,
		figures: [...(await traffic()), ...(await known())],
	};
}

async function traffic(): Promise<Figure[]> {
	await using docker = await openDocker();
	await using edge = await openEdge({
		within: docker.netns,
		services: {},
		settings: { discovery: { docker: `unix://${docker.socket}` }, flap: false },
	});
	const probe = edge.owned.own(await startProbe());
	const daemon = await edge.startDaemon();
	for (const name of ["one", "two"]) {
		const { address } = await runContainer(docker, name);
		await joined(daemon, `web/${address}:${PORT}`);
	}
	const rig: Rig = { docker, edge, probe, daemon };
	return [...(await labelToAnswer(rig, 0)), ...(await labelToAnswer(rig, 1)), ...(await duringBoots(rig))];
}

interface Rig {
	readonly docker: ContainerEngine;
	readonly edge: Edge;
	readonly probe: Probe;
	readonly daemon: Daemon;
}

/** Runs containers, each when the one before is gone, and looks until HAProxy answers by it. */
async function labelToAnswer(rig: Rig, bootSeconds: number): Promise<Figure[]> {
	const [toAnswer, own]: [number[], number[]] = [[], []];
	for (let run = 0; run < RUNS; run++) {
		await pause(QUIET_MS);
		const name = `measured-${bootSeconds}-${run}`;
		const from = rig.daemon.lines.length;
		const answered = answers(rig, name);
		const container = await runContainer(rig.docker, name, bootSeconds);
		const server = `web/${container.address}:${PORT}`;
		toAnswer.push((await answered) - (await container.listened()));
		const { sinceKernelMs } = await joined(rig.daemon, server, from);
		// absent where it was the engine's word that let it in
		if (typeof sinceKernelMs === "number") own.push(sinceKernelMs);
		await container.remove();
		await left(rig.daemon, server, from);
	}
	const when = bootSeconds === 0 ? "at once" : `after a boot of ${bootSeconds} s`;
	const p50 = percentile(toAnswer, 0.5);
	return [
		{
			what: `listen() → first 200, it listens ${when}, ${toAnswer.length} times`,
			measured: summary(toAnswer),
			goal: `p50 ≤ ${ANSWER_GOAL_MS} ms`,
			met: p50 <= ANSWER_GOAL_MS,
		},
		beside("– the kernel's event → applied, by the daemon's log", summary(own)),
	];
}

/** When HAProxy answered by it first, in milliseconds of CLOCK_MONOTONIC. */
async function answers({ probe, edge }: Rig, name: string): Promise<number> {
	const seenMs = await probe.answered(edge.port, name, 20_000, new URL(edge.url).hostname);
	if (seenMs === undefined) throw new Error(`${name} does not answer within 20 s`);
	return seenMs;
}

async function duringBoots({ docker, edge, daemon }: Rig): Promise<Figure[]> {
	const retries = await retriesOf(edge.runtimeSocket, "web");
	const workers = workersStarted(edge.haproxy);
	const most = (BOOTS + 1) * 20 * PER_SECOND;
	const load = await startLoad(edge.port, PER_SECOND, most, new URL(edge.url).hostname);
	for (let boot = 0; boot < BOOTS; boot++) {
		const from = daemon.lines.length;
		const { address } = await runContainer(docker, `boots-${boot}`, BOOT_SECONDS);
		// Not by a probe, whose requests would go beside those of the client.
		await joined(daemon, `web/${address}:${PORT}`, from);
		await pause(MARGIN_MS);
	}
	load.stop();
	const { asked, bad, p50, p99, max } = await load.ended;
	if (workersStarted(edge.haproxy) !== workers) throw new Error("HAProxy was reloaded, and what it counts began anew");
	const again = (await retriesOf(edge.runtimeSocket, "web")) - retries;
	return [
		{
			what: `errors at ${PER_SECOND} requests/s, ${BOOTS} containers boot for ${BOOT_SECONDS} s each`,
			measured: `${bad} of ${asked}, ${[p50, p99, max].map(ms).join(" / ")}`,
			goal: "0",
			met: bad === 0,
		},
		{ what: "– connections that HAProxy had to try again", measured: String(again), goal: "0", met: again === 0 },
	];
}

async function known(): Promise<Figure[]> {
	await using engine = await openEngineServer();
	await using edge = await openEdge({
		services: {},
		settings: { discovery: { docker: `unix://${engine.socket}` }, flap: false },
		proxy: { slots: { min: 2 * STARTS } },
	});
	const restingMb = async ({ pid }: Daemon) => {
		await pause(REST_MS);
		return rssMb(pid);
	};
	const without = await edge.startDaemon();
	const withoutMb = await restingMb(without);
	await without.stop();

	for (let index = 0; index < KNOWN; index++) engine.start(composed(index));
	const daemon = await edge.startDaemon();
	await eventually("each was inspected", () => engine.count("inspect") >= KNOWN, { timeoutMs: 30_000 });
	const withMb = await restingMb(daemon);
	const listed = engine.count("list");
	const starting = Array.from({ length: STARTS }, (_, index) => composed(KNOWN + index));
	const cpu: number[] = [];
	for (const container of starting) cpu.push(await startOne(edge, engine, daemon, container));
	const lists = engine.count("list") - listed;
	// Of these: containers of others on this machine are asked for, too.
	const inspects = starting.reduce((sum, { id }) => sum + engine.count("inspect", id), 0);
	return [
		{
			what: `resident memory of the daemon, ${KNOWN.toLocaleString("en")} containers known`,
			measured: `${withMb.toFixed(1)} MB`,
			goal: `≤ ${MEMORY_GOAL_MB} MB`,
			met: withMb <= MEMORY_GOAL_MB,
		},
		beside("– none", `${withoutMb.toFixed(1)} MB`),
		{
			what: `requests to the engine for ${STARTS} starts`,
			measured: `${inspects} inspects, ${lists} lists`,
			goal: `${STARTS} inspects, 0 lists`,
			met: inspects === STARTS && lists === 0,
		},
		beside("– CPU of the daemon for one, until it serves and the file has followed", summary(cpu)),
	];
}

/** One container more, and what listens in it, until it is in the pool. @returns what the daemon used, in milliseconds */
async function startOne(edge: Edge, engine: EngineServer, daemon: Daemon, container: FakeContainer): Promise<number> {
	const { owned, segment } = edge;
	const cgroup = owned.own(await addContainerCgroup(container.id));
	const netns = await segment.addNetns(container.name);
	const app = owned.own(await startApp({ name: container.name, netns, cgroup, port: PORT }));
	await pause(AFTER_MS);
	const from = daemon.lines.length;
	const usedMs = await cpuMs(daemon.pid);
	engine.create(container);
	await pause(STARTING_MS);
	engine.start(container);
	await app.listen();
	await joined(daemon, `web/${netns.address}:${PORT}`, from);
	await pause(AFTER_MS);
	return (await cpuMs(daemon.pid)) - usedMs;
}

/** As Compose makes them. */
function composed(index: number): FakeContainer {
	const name = `web-${index}`;
	return {
		id: idOf(name),
		name,
		labels: {
			"com.docker.compose.config-hash": idOf(`configuration of ${name}`),
			"com.docker.compose.container-number": "1",
			"com.docker.compose.depends_on": "",
			"com.docker.compose.image": `sha256:${idOf("image")}`,
			"com.docker.compose.oneoff": "False",
			"com.docker.compose.project": "shop",
			"com.docker.compose.project.config_files": "/srv/shop/compose.yaml",
			"com.docker.compose.project.working_dir": "/srv/shop",
			"com.docker.compose.service": name,
			"com.docker.compose.version": "2.20.2",
			"solisten.service": "web",
		},
	};
}
