/** Ten backends restarted one after the other, while clients ask: what failed, and how long they waited. */

import { setTimeout as pause } from "node:timers/promises";
import { lifetime } from "../../host/lifetime.js";
import { beside, type Figure, type Section } from "../figure.js";
import { haproxyByChecks, haproxyBySolistend, nginxBySolistend, type Opener } from "../rig/edges.js";
import type { Leaving } from "../rig/fleet.js";
import { applyLoad, type Load } from "../rig/load.js";
import { haproxies } from "../rig/programs.js";
import { ms } from "../statistics.js";

const BACKENDS = 10;
const PER_SECOND = 500;
/** From its end to its start, as a container takes; and from its start to the end of the next. */
const GAP_MS = 200;
const REST_MS = 300;
/** Before the first and after the last. */
const MARGIN_MS = 500;
/** All restarts, with what starting takes; the last requests may come after them. */
const SECONDS = (BACKENDS * (GAP_MS + REST_MS + 150) + 2 * MARGIN_MS) / 1000;
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
			figures.push(judged(`${title}: ${LEAVING[leaving]}`, await roll(haproxyBySolistend(path), leaving), leaving));
		}
		figures.push(judged(`Nginx: ${LEAVING[leaving]}`, await roll(nginxBySolistend, leaving), "SIGTERM"));
	}
	const checked = await roll(haproxyByChecks, "namespace");
	const [{ title } = { title: "HAProxy" }] = programs;
	figures.push(beside(`– ${title} by its own checks, default: ${LEAVING.namespace}`, measured(checked)));
	return {
		title: `Rolling restart of ${BACKENDS} backends`,
		text: `One after the other is stopped, is away for ${GAP_MS} ms and listens again; ${REST_MS} ms later it is the next one's turn.
Meanwhile a client asks ${PER_SECOND} times a second on a fixed schedule, over a new connection each; latency counts from
when a request was due (p50 / p99 / max). Each application works ${2} ms on a request, and answers what it has accepted when
it gets a SIGTERM. Failed is every answer but 200. In flight, counted apart: HAProxy answered 502, so it had a connection
to the application when a SIGKILL took it (a request that may have been acted on is not sent twice).`,
		figures,
	};
}

async function roll(open: Opener, leaving: Leaving): Promise<Load> {
	await using owned = lifetime();
	const { fleet, port } = await open(owned, BACKENDS);
	const load = applyLoad(port, PER_SECOND, SECONDS * PER_SECOND);
	await pause(MARGIN_MS);
	for (let index = 0; index < BACKENDS; index++) {
		await fleet.restart(index, leaving, GAP_MS);
		await pause(REST_MS);
	}
	return await load;
}

const measured = ({ asked, bad, broken, p50, p99, max }: Load, apart = 0) =>
	`${asked} asked, ${bad - apart} failed${apart > 0 || broken > 0 ? `, ${broken} in flight` : ""}, ${[p50, p99, max].map(ms).join(" / ")}`;

function judged(what: string, load: Load, leaving: Leaving): Figure {
	const apart = leaving === "SIGKILL" ? load.broken : 0;
	const isFast = leaving !== "namespace" || load.p99 <= P99_GOAL_MS;
	return {
		what,
		measured: measured(load, apart),
		goal: `0 failed${leaving === "namespace" ? `, p99 ≤ ${P99_GOAL_MS} ms` : ""}`,
		met: load.bad - apart === 0 && isFast,
	};
}
