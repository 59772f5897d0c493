/** A change on one host → applied at an edge's HAProxy, through a real Redis; beside it the same on the edge itself. */

import { setTimeout as pause } from "node:timers/promises";
import { LOCAL_NETNS, openFleet, untilReady } from "../../host/fleet.js";
import { beside, type Figure, type Section } from "../figure.js";
import { type App, startApp } from "../rig/app.js";
import { type Place, type Probe, startProbe } from "../rig/probe.js";
import { redisVersion } from "../rig/redis-counts.js";
import { percentile, summary } from "../statistics.js";

const RUNS = 200;
/** Between a change and the next: what came before has passed. */
const QUIET_MS = 40;
/** Between the probe's first look and the change. */
const LOOKING_MS = 3;
const P50_GOAL_MS = 5;
const P99_GOAL_MS = 25;

interface Path {
	readonly app: App;
	readonly address: string;
	readonly port: number;
}

/** Milliseconds from the call to HAProxy's word. */
interface Times {
	readonly toIn: number[];
	readonly toOut: number[];
}

export async function fleetLatency(): Promise<Section> {
	await using fleet = await openFleet({ lease: "10s" });
	const { owned, edge } = fleet;
	const probe = owned.own(await startProbe());
	const host = await fleet.addHost("one");
	const other = await fleet.addHost("two");
	for (const port of [8000, 8001]) await other.serve(port);
	const netns = await edge.segment.addNetns(LOCAL_NETNS);
	const path = async (at: typeof netns, port: number): Promise<Path> => ({
		app: owned.own(await startApp({ name: at.name, netns: at, port })),
		address: at.address,
		port,
	});
	const [remote, local] = [await path(host.netns, 8000), await path(netns, 80)];
	await Promise.all([fleet.startEdge(), host.start(), other.start()]);
	await untilReady(edge, [other.at(8000), other.at(8001)]);

	const place = ({ address, port }: Path, where: Place) =>
		probe.server(edge.runtimeSocket, "web", address, port, where);
	const [viaRedis, onEdge]: [Times, Times] = [newTimes(), newTimes()];
	for (let run = 0; run < RUNS; run++) {
		await joinAndLeave(remote, place, viaRedis);
		await joinAndLeave(local, place, onEdge);
	}
	return {
		title: "A change on another host",
		text: `An application on one host listens or closes, and notes the time just before the system call; another process looks in a
loop until the Runtime API of the edge's HAProxy says that the server is in, or out. Host, edge and Redis ${await redisVersion(fleet.redis)} are in network
namespaces of their own, on one machine; three daemons. In turns with it the same by an application of the edge's own. Figures
are p50 / p99 / max.`,
		figures: [
			...compared("listen() on a host → in at the edge", viaRedis.toIn, onEdge.toIn),
			...compared("close() on a host → out at the edge", viaRedis.toOut, onEdge.toOut),
		],
	};
}

const newTimes = (): Times => ({ toIn: [], toOut: [] });

async function joinAndLeave(
	path: Path,
	place: (path: Path, where: Place) => ReturnType<Probe["server"]>,
	times: Times,
) {
	const change = async (where: Place, call: App["listen"]) => {
		await pause(QUIET_MS);
		const seen = place(path, where);
		await pause(LOOKING_MS);
		const { firstMs } = await call();
		const seenMs = await seen;
		if (seenMs === undefined) throw new Error(`${path.address}:${path.port} is not ${where} within 10 s`);
		return seenMs - firstMs;
	};
	times.toIn.push(await change("in", path.app.listen));
	times.toOut.push(await change("out", path.app.shut));
}

function compared(what: string, remote: readonly number[], local: readonly number[]): Figure[] {
	const [p50, p99] = [percentile(remote, 0.5), percentile(remote, 0.99)];
	return [
		{
			what: `${what}, ${remote.length} times`,
			measured: summary(remote),
			goal: `p50 ≤ ${P50_GOAL_MS} ms, p99 ≤ ${P99_GOAL_MS} ms`,
			met: p50 <= P50_GOAL_MS && p99 <= P99_GOAL_MS,
		},
		beside("– the same on the edge itself", summary(local)),
	];
}
