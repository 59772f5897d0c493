/** A backend that is alone in its service and restarts: nobody else can take its requests meanwhile. */

import { setTimeout as pause } from "node:timers/promises";
import { lifetime } from "../../host/lifetime.js";
import { beside, type Section } from "../figure.js";
import { haproxyByChecks, haproxyBySolistend, type Opener } from "../rig/edges.js";
import { type Load, startLoad } from "../rig/load.js";
import { haproxies } from "../rig/programs.js";
import { ms } from "../statistics.js";

const PER_SECOND = 100;
const REQUESTS = 400;
const GAP_MS = 600;
const BEFORE_MS = 1000;

export async function alone(): Promise<Section> {
	const figures = [];
	for (const { title, path } of await haproxies()) {
		const load = await restart(haproxyBySolistend(path));
		figures.push({ what: title, measured: measured(load), goal: "0 failed", met: load.bad === 0 });
	}
	figures.push(beside("– HAProxy by its own checks, default", measured(await restart(haproxyByChecks))));
	return {
		title: "One backend alone, restarted",
		text: `It gets a SIGTERM, stops at once and listens again after ${GAP_MS} ms, under ${PER_SECOND} requests a second over new connections
(latency p50 / p99 / max, from when a request was due).`,
		figures,
	};
}

async function restart(open: Opener): Promise<Load> {
	await using owned = lifetime();
	const { fleet, port } = await open(owned, 1);
	const load = await startLoad(port, PER_SECOND, REQUESTS);
	await pause(BEFORE_MS);
	await fleet.restart(0, "SIGTERM", GAP_MS);
	return await load.ended;
}

const measured = ({ asked, bad, p50, p99, max }: Load) =>
	`${bad} of ${asked} failed, ${[p50, p99, max].map(ms).join(" / ")}`;
