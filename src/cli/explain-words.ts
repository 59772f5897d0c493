/** The words that explanations are made of: places, steps, times. Pure. */

import type { ExplainedView, StepView } from "../admin/explain-view.js";
import type { Colour } from "./output.js";

export const STATE_COLOURS: Readonly<Record<StepView["state"], Colour>> = {
	done: "green",
	waiting: "yellow",
	no: "red",
};

/** What keeps it: what goes on by itself, and what does not. */
export const holdUp = (step: StepView): string =>
	`${step.state === "waiting" ? "waits for" : "held up at"} ${stepName(step)}: ${step.text}`;

export const stepName = ({ step, service, proxy }: StepView): string => {
	const name = step === "proxy" && proxy !== undefined ? `proxy ${proxy}` : step;
	return service === undefined ? name : `${name} (${service})`;
};

export const netnsOf = ({ netns, netnsName }: Pick<ExplainedView, "netns" | "netnsName">): string =>
	netnsName ?? String(netns);

export const hostPort = ({ address, port }: Pick<ExplainedView, "address" | "port">): string =>
	address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;

/** Whose listener, and where. */
export const placeOf = (
	listener: Pick<ExplainedView, "address" | "port" | "netns" | "netnsName" | "pid" | "comm">,
): string => `${hostPort(listener)} in netns ${netnsOf(listener)}, pid ${listener.pid} (${listener.comm})`;

export const counted = (count: number, one: string, many: string): string => `${count} ${count === 1 ? one : many}`;

/** Local time: of today to the millisecond, else with its date. */
export function when(at: string, nowMs: number): string {
	const time = new Date(at);
	const two = (value: number) => String(value).padStart(2, "0");
	const clock = `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
	if (time.toDateString() === new Date(nowMs).toDateString()) {
		return `${clock}.${String(time.getMilliseconds()).padStart(3, "0")}`;
	}
	return `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())} ${clock}`;
}
