/** Tells the daemon's events as lines on the screen. Knows nothing of the story that causes them. */

import type { LogLine } from "../host/daemon.js";
import { type DemoEvent, eventOf, tookMs } from "./events.js";
import type { Screen } from "./screen.js";

/** An event's line follows its change within milliseconds; one that no event led to is not kept back for longer. */
const PATIENCE_MS = 100;

/**
 * Shows those lines of the daemon's log that people want to see. The log tells of a change when it is made, and of the
 * event that led to it a moment later: here the event comes first.
 */
export function createNarrator(screen: Screen): (line: LogLine) => void {
	/** Changes without their event so far; below zero: events without their change. */
	let early = 0;
	let waiting: DemoEvent[] = [];
	let timer: NodeJS.Timeout | undefined;

	const flush = () => {
		clearTimeout(timer);
		timer = undefined;
		early = Math.min(early, 0);
		for (const event of waiting) {
			screen.line(isOfKernel(event) ? "kernel" : "haproxy", tell(event), Date.parse(event.time));
		}
		waiting = [];
	};

	return (line) => {
		const event = eventOf(line);
		if (event === undefined) return;
		if (isOfKernel(event)) {
			early -= 1;
			waiting.unshift(event);
		} else {
			if (event.msg === "applied" && event.sinceKernelMs !== undefined) early += 1;
			waiting.push(event);
		}
		if (early <= 0) flush();
		else timer ??= setTimeout(flush, PATIENCE_MS);
	};
}

const isOfKernel = ({ msg }: DemoEvent) => msg === "listening" || msg === "closed";

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
