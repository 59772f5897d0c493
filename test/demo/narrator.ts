/** Tells the daemon's events as lines on the screen. Knows nothing of the story that causes them. */

import type { LogLine } from "../host/daemon.js";
import { type DemoEvent, eventOf, tookMs } from "./events.js";
import type { Screen } from "./screen.js";

/** Shows a line of the daemon's log, if it is one that people want to see. */
export function narrate(screen: Screen, line: LogLine): void {
	const event = eventOf(line);
	if (event === undefined) return;
	screen.line(
		event.msg === "listening" || event.msg === "closed" ? "kernel" : "haproxy",
		tell(event),
		Date.parse(event.time),
	);
}

function tell(event: DemoEvent): string {
	switch (event.msg) {
		case "listening":
		case "closed": {
			const what = event.msg === "listening" ? "listen" : "close ";
			return `${what} ${event.address}:${event.port} in netns ${event.netns} (pid ${event.pid}, ${event.comm})`;
		}
		case "applied": {
			const joined = event.joined.map((backend) => `${backend} joined`);
			const left = event.left.map((backend) => `${backend} left`);
			const stages = Object.entries(event.stagesMs)
				.map(([stage, ms]) => [stage, Math.round(ms)] as const)
				.filter(([, ms]) => ms > 0)
				.map(([stage, ms]) => `${stage} ${ms}`);
			const changes = [...joined, ...left].join(", ") || "no backend changed";
			return `${changes} in ${tookMs(event)} ms (${stages.join(", ")})`;
		}
		case "not applied": {
			const { msg, time, ...rest } = event;
			return `${msg}: ${JSON.stringify(rest)}`;
		}
		default:
			return event satisfies never;
	}
}
