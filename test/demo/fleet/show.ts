/** `npm run demo -- --fleet`: many hosts, one view, through Redis. */

import { createNarrator } from "../narrator.js";
import type { Show } from "../show.js";
import { LEASE_MS } from "./configuration.js";
import { type FleetStage, openFleetStage } from "./stage.js";
import { type FleetResult, playFleetStory } from "./story.js";

export function fleet(): Show {
	return {
		introduction: INTRODUCTION,
		async open(screen, signal) {
			const stage = await openFleetStage(() => createNarrator(screen), signal);
			return {
				...stage,
				async play(options) {
					const result = await playFleetStory(stage, options);
					return { summary: summary(result), hints: hints(stage) };
				},
			};
		},
	};
}

const INTRODUCTION = `solistend demo: what listens on any host is in the edge's pool.

While it runs there is on this machine:
  - a bridge with four network namespaces: two hosts, an edge, and a Redis between them
  - a solistend daemon on each host and at the edge, with their eBPF programs in the kernel
  - a real redis-server, a HAProxy at the edge, and a real nginx for each application
  - folders under /run and /tmp with their files
Ctrl-C ends it and removes all of that.
`;

function summary({ answeredMs, leftMs, asked, takenAlong }: FleetResult): string {
	return [
		`${answeredMs.length} times a server came; the edge's first answer was ${answeredMs.join(", ")} ms after its host saw it listen`,
		`a host died; it was out of the edge's pool after ${(leftMs / 1000).toFixed(1)} s (lease: ${LEASE_MS / 1000} s)`,
		"Redis died and came back empty: nobody left the pool; a host was drained, and forgotten",
		`a client of the edge asked ${asked} times meanwhile: ${takenAlong} failed${
			takenAlong > 0 ? ", which the host had taken when it died" : ""
		}`,
	].join("\n");
}

function hints({ url, hosts: [a], redis }: FleetStage): string {
	const edge = a.config.replace("/a/", "/edge/");
	return `
Now you, in another terminal:
  curl ${url}
  dist/solistend.js status --fleet --config ${edge}
  dist/solistend.js drain-host --undo --config ${a.config.replace("/a/", "/b/")}
  kill -9 ${a.apps[0]?.pid}   # an nginx of host a
  kill -9 ${redis.pid}   # Redis
Ctrl-C here ends the demo.
`;
}
