/**
 * `listen()` → first 200 through HAProxy, and close → out of it, by file and reload, where there is no Runtime API; the
 * daemon's memory afterwards.
 */

import { readFile } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import { joined, left, openEdge } from "../../host/edge.js";
import { eventually } from "../../host/eventually.js";
import { ask } from "../../host/http.js";
import { startWebServer } from "../../host/web-server.js";
import { beside, type Section } from "../figure.js";
import { percentile, summary } from "../statistics.js";

const RUNS = 15;
const FIRST_ANSWER_GOAL_MS = 500;
const MEMORY_GOAL_MB = 90;
/** Longer than `settle.quiet` and `reloadInterval`: each change is the first after quiet. */
const QUIET_MS = 400;
const IDLE_MS = 20_000;

export async function reloadPath(): Promise<Section> {
	await using edge = await openEdge({ settings: { flap: false }, proxy: { runtimeSocket: undefined } });
	const daemon = await edge.startDaemon();
	const other = await edge.segment.addNetns("other");
	edge.owned.own(await startWebServer({ name: "other", netns: other }));
	await joined(daemon, `web/${other.address}:80`);
	const netns = await edge.segment.addNetns("measured");
	const server = `web/${netns.address}:80`;

	const toAnswer: number[] = [];
	const out: number[] = [];
	const stages: Record<string, number>[] = [];
	for (let i = 0; i < RUNS; i++) {
		await pause(QUIET_MS);
		let from = daemon.lines.length;
		const web = await startWebServer({ name: "measured", netns });
		const answeredMs = await eventually(
			"the first answer",
			async () => (await ask(edge.url)).body.includes("measured") && Date.now(),
			{ everyMs: 1 },
		);
		const line = await joined(daemon, server, from);
		// the daemon knows when the kernel said so; its clock is ours
		const kernelMs = Date.parse(line.time) - Number(line["sinceKernelMs"]);
		toAnswer.push(answeredMs - kernelMs);
		stages.push(Object.assign({}, line["stagesMs"]));
		await pause(QUIET_MS);
		from = daemon.lines.length;
		await web.close();
		out.push(Number((await left(daemon, server, from))["sinceKernelMs"]));
	}
	await pause(IDLE_MS);
	const status = await readFile(`/proc/${daemon.pid}/status`, "utf8");
	const rssMb = (Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024) / 1e6;
	const median = (stage: string) =>
		percentile(
			stages.map((one) => one[stage] ?? 0),
			0.5,
		).toFixed(1);
	return {
		title: "By file and reload",
		text: `Without \`runtimeSocket\`, every change is a new file, \`haproxy -c\` and a reload. Real Nginx as the
application. A listener's first answer may come before the daemon has verified the reload.`,
		figures: [
			{
				what: `listen() → first 200 through HAProxy, beside another (p50 / p99 / max of ${RUNS})`,
				measured: summary(toAnswer),
				goal: `≤ ${FIRST_ANSWER_GOAL_MS} ms`,
				met: Math.max(...toAnswer) <= FIRST_ANSWER_GOAL_MS,
			},
			beside(
				"the same by stage, medians in ms",
				["settle", "read", "render", "stage", "check", "swap", "reload", "verify"]
					.map((stage) => `${stage} ${median(stage)}`)
					.join(", "),
			),
			beside(`SIGKILL → out of HAProxy (p50 / p99 / max of ${RUNS})`, summary(out)),
			{
				what: `resident memory of the daemon, ${IDLE_MS / 1000} s idle after ${2 * RUNS} changes`,
				measured: `${rssMb.toFixed(1)} MB`,
				goal: `≤ ${MEMORY_GOAL_MB} MB`,
				met: rssMb <= MEMORY_GOAL_MB,
			},
		],
	};
}
