/** Ten backends restarted one after the other, while clients ask: what failed, and how long they waited. */

import { setTimeout as pause } from "node:timers/promises";
import { lifetime } from "../../host/lifetime.js";
import { beside, type Figure, type Section } from "../figure.js";
import { haproxyByChecks, haproxyBySolistend, nginxBySolistend, type Opener, WORK_US } from "../rig/edges.js";
import type { Leaving } from "../rig/fleet.js";
import { type Load, startLoad } from "../rig/load.js";
import { haproxies } from "../rig/programs.js";
import { ms } from "../statistics.js";

const BACKENDS = 10;
const PER_SECOND = 500;
/** From its end to its start, as a container takes; and from its start to the end of the next. */
const GAP_MS = 200;
const REST_MS = 300;
/** Before the first and after the last. */
const MARGIN_MS = 500;
/** Enough for all of it: then it is told to stop. */
const MOST_SECONDS = 60;
const P99_GOAL_MS = 25;

const LEAVING: Readonly<Record<Leaving, string>> = {
	SIGTERM: "SIGTERM, and they stop at once",
	SIGKILL: "SIGKILL",
	namespace: "namespace and address go with the process and come back",
};

export async function rolling(): Promise<Section> {
	const figures: Figure[] = [];
	const programs = await haproxies();
	for (const leaving of ["SIGTERM", "SIGKILL", "namespace"] as const) {
		for (const { title, path } of programs) {
			figures.push(
				judged(`${title}: ${LEAVING[leaving]}`, await roll(haproxyBySolistend(path), leaving), leaving, true),
			);
		}
		figures.push(judged(`Nginx: ${LEAVING[leaving]}`, await roll(nginxBySolistend, leaving), leaving, false));
	}
	const checked = await roll(haproxyByChecks, "namespace");
	const [{ title } = { title: "HAProxy" }] = programs;
	figures.push(beside(`– ${title} by its own checks, default: ${LEAVING.namespace}`, measured(checked)));
	return {
		title: `Rolling restart of ${BACKENDS} backends`,
		text: `One after the other is stopped, is away for ${GAP_MS} ms and listens again; ${REST_MS} ms later it is the next one's turn.
Meanwhile a client asks ${PER_SECOND} times a second on a fixed schedule, over a new connection each; latency counts from
when a request was due (p50 / p99 / max). Each application works ${WORK_US / 1000} ms on a request, and answers what it has accepted when
it gets a SIGTERM. Failed is every answer but 200. In flight, counted apart: HAProxy answered 502, so it had a connection
to the application when a SIGKILL took it (a request that may have been acted on is not sent twice).`,
		figures,
	};
}

async function roll(open: Opener, leaving: Leaving): Promise<Load> {
	await using owned = lifetime();
	const { fleet, port } = await open(owned, BACKENDS);
	const load = await startLoad(port, PER_SECOND, MOST_SECONDS * PER_SECOND);
	await pause(MARGIN_MS);
	for (let index = 0; index < BACKENDS; index++) {
		await fleet.restart(index, leaving, GAP_MS);
		await pause(REST_MS);
	}
	await pause(MARGIN_MS);
	load.stop();
	return await load.ended;
}

/** @param apart of the bad ones, in flight when they were killed */
const measured = ({ asked, bad, p50, p99, max }: Load, apart?: number) =>
	[
		`${asked} asked`,
		`${bad - (apart ?? 0)} failed`,
		...(apart === undefined ? [] : [`${apart} in flight`]),
		[p50, p99, max].map(ms).join(" / "),
	].join(", ");

/** @param isHaproxy it tells a connection that broke (502) from one that was refused; Nginx asks another by itself */
function judged(what: string, load: Load, leaving: Leaving, isHaproxy: boolean): Figure {
	const apart = leaving === "SIGKILL" && isHaproxy ? load.broken : undefined;
	const isSlow = leaving === "namespace" && isHaproxy && load.p99 > P99_GOAL_MS;
	return {
		what,
		measured: measured(load, apart),
		goal: leaving === "namespace" && isHaproxy ? `0 failed, p99 ≤ ${P99_GOAL_MS} ms` : "0 failed",
		met: load.bad === (apart ?? 0) && !isSlow,
	};
}
