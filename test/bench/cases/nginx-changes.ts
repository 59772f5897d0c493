/** Changes that come faster than Nginx should be reloaded. */

import { setTimeout as pause } from "node:timers/promises";
import { eventually } from "../../host/eventually.js";
import { ask } from "../../host/http.js";
import { lifetime } from "../../host/lifetime.js";
import type { Section } from "../figure.js";
import { startApp } from "../rig/app.js";
import { openNginxEdge } from "../rig/nginx-edge.js";

const CHANGES = 1000;
const EVERY_MS = 10;
const BACKENDS = 20;
const FIRST = 8000;
const RELOADS_GOAL = 6;

export async function nginxChanges(): Promise<Section> {
	await using owned = lifetime();
	const match = { port: `${FIRST}-${FIRST + BACKENDS - 1}`, netns: `slt-${process.pid}-web-*` };
	const edge = owned.own(
		await openNginxEdge({
			services: { web: { match } },
			settings: { flap: false },
			proxy: { reloadInterval: "2s" },
		}),
	);
	const netns = await edge.segment.addNetns("web-many");
	const app = owned.own(await startApp({ name: "many", netns, port: FIRST, count: BACKENDS }));
	await app.listen();
	const up = new Set(Array.from({ length: BACKENDS }, (_, index) => FIRST + index));
	const servers = () => [...up].map((port) => `${netns.address}:${port}`);
	await edge.startDaemon();
	await edge.has(servers());

	const before = await edge.reloads();
	const startedMs = performance.now();
	for (let change = 1; change <= CHANGES; change++) {
		const port = FIRST + Math.floor(Math.random() * BACKENDS);
		if (!up.has(port)) {
			up.add(port);
			await app.listen(port);
		} else if (up.size > 1) {
			up.delete(port);
			await app.shut(port);
		}
		await pause(startedMs + change * EVERY_MS - performance.now());
	}
	const tookS = (performance.now() - startedMs) / 1000;
	const bodies = servers().map((server) => `many:${server.split(":")[1]}\n`);
	const isLive = await eventually("the last state is live", async () => {
		const answers = await Promise.all(
			Array.from({ length: 4 * BACKENDS }, () => ask(`http://127.0.0.1:${edge.port}/`)),
		);
		return [...new Set(answers.map(({ body }) => body))].sort().join() === bodies.sort().join();
	}).then(
		() => true,
		() => false,
	);
	const reloads = (await edge.reloads()) - before;
	return {
		title: `${CHANGES.toLocaleString("en")} changes through Nginx`,
		text: `${BACKENDS} backends listen and close at random, a change every ${EVERY_MS} ms, with \`reloadInterval: 2s\`. Reloads are counted in Nginx's own
log, until all of those that listen at the end, and no others, answer through it.`,
		figures: [
			{
				what: `reloads for ${CHANGES.toLocaleString("en")} changes in ${tookS.toFixed(1)} s`,
				measured: String(reloads),
				goal: `≤ ${RELOADS_GOAL}`,
				met: reloads <= RELOADS_GOAL,
			},
			{ what: "the last state is live", measured: isLive ? "yes" : "no", goal: "yes", met: isLive },
		],
	};
}
