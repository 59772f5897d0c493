/** `solistend status`: what the running daemon has and does, for a person or as JSON. */

import { z } from "zod";
import { type DaemonStatus, UNFIT } from "../admin/view.js";
import { ask, type SocketOptions, socketPath, understood } from "./ask.js";
import { jsonText, printLine } from "./output.js";
import { statusLines } from "./status-lines.js";

export interface StatusOptions extends SocketOptions {
	readonly json: boolean;
}

const count = z.int().min(0);

const backend = z.object({
	id: z.string(),
	state: z.enum(["ready", "closing", "drain", "down", "out"]),
	held: z.boolean(),
	reason: z.string(),
	since: z.iso.datetime(),
	unfit: z.enum(UNFIT).exactOptional(),
	host: z.string().exactOptional(),
});

const delays = z.object({ count, medianMs: z.number().exactOptional(), maxMs: z.number().exactOptional() });

const proxy = z.object({
	name: z.string(),
	type: z.string(),
	mode: z.string(),
	state: z.enum(["starting", "applied", "observing", "unreachable", "failed"]),
	why: z.string().exactOptional(),
	serving: z.string().exactOptional(),
	steps: z.array(z.string()).exactOptional(),
	applied: count,
	reloads: count,
	failed: count,
	fastChanges: count,
	lastApplied: z.object({ at: z.iso.datetime(), stagesMs: z.record(z.string(), z.number()) }).exactOptional(),
	compared: z
		.object({
			up: delays,
			down: delays,
			unnoticed: count,
			byChecksAlone: count,
			onlyInProxy: z.array(z.string()),
			onlyInSolistend: z.array(z.string()),
			downInProxy: z.array(z.string()),
			unchecked: z.array(z.string()),
		})
		.exactOptional(),
});

const daemonStatus: z.ZodType<DaemonStatus> = z.object({
	version: z.string(),
	host: z.string(),
	pid: count,
	startedAt: z.iso.datetime(),
	uptimeMs: count,
	config: z.string(),
	listeners: count,
	services: z.array(z.object({ name: z.string(), backends: z.array(backend) })),
	holds: z.array(z.object({ service: z.string(), id: z.string(), state: z.enum(["drain", "down"]) })),
	proxies: z.array(proxy),
	sensor: z.discriminatedUnion("state", [
		z.object({ state: z.literal("up") }),
		z.object({ state: z.literal("down"), since: z.iso.datetime(), why: z.string() }),
	]),
	losses: z.record(z.string(), count),
});

export async function status({ json, ...where }: StatusOptions): Promise<number> {
	const answer = await ask(await socketPath(where), "GET", "/v1/status");
	const now = understood(answer, daemonStatus);
	if (json) printLine(jsonText(answer.body, 2));
	else for (const line of statusLines(now, Date.now())) printLine(line);
	return 0;
}
