/** Tells the daemon's events as lines on the screen. Knows nothing of the story that causes them. */

import type { LogLine } from "../host/daemon.js";
import { type Applied, eventOf, tookMs } from "./events.js";
import type { Screen } from "./screen.js";

/** Shows a line of the daemon's log, if it is one that people want to see. */
export function narrate(screen: Screen, line: LogLine): void {
	const event = eventOf(line);
	if (event === undefined) return;
	const atMs = Date.parse(event.time);
	switch (event.msg) {
		case "listening":
		case "closed": {
			const what = event.msg === "listening" ? "listen" : "close ";
			const who = `in netns ${event.netns} (pid ${event.pid}, ${event.comm})`;
			return screen.line("kernel", `${what} ${event.address}:${event.port} ${who}`, atMs);
		}
		case "applied":
			return screen.line("haproxy", describe(event), atMs);
		case "not applied":
			return screen.line("haproxy", `not applied: ${JSON.stringify(event)}`, atMs);
		default:
			return event satisfies never;
	}
}

function describe(applied: Applied): string {
	const { joined, left, stagesMs } = applied;
	const changes = [...joined.map((backend) => `${backend} joined`), ...left.map((backend) => `${backend} left`)];
	const stages = Object.entries(stagesMs).map(([stage, ms]) => `${stage} ${Math.round(ms)}`);
	return `${changes.join(", ") || "no backend changed"} in ${tookMs(applied)} ms (${stages.join(", ")})`;
}
