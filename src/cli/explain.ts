/** `solistend explain`: why a listener is, or is not, in a pool; for a person or as JSON. */

import { z } from "zod";
import { CHANGES, type ExplainView, MEANINGS, STEPS } from "../admin/explain-view.js";
import { ask, type SocketOptions, socketPath, understood } from "./ask.js";
import { explainLines } from "./explain-lines.js";
import { jsonText, printLine } from "./output.js";

/** One of them, or none, says what is meant. */
export interface ExplainOptions extends SocketOptions {
	readonly json: boolean;
	/** Whatever it may mean. */
	readonly what?: string | undefined;
	readonly port?: number | undefined;
	readonly pid?: number | undefined;
	readonly netns?: string | undefined;
	readonly container?: string | undefined;
	readonly service?: string | undefined;
}

const count = z.int().min(0);
const meaning = z.enum(MEANINGS);
const date = z.iso.datetime();

const step = z.object({
	step: z.enum(STEPS),
	service: z.string().exactOptional(),
	proxy: z.string().exactOptional(),
	state: z.enum(["done", "waiting", "no"]),
	text: z.string(),
});

const change = z.object({
	at: date,
	change: z.enum(CHANGES),
	backend: z.string().exactOptional(),
	text: z.string(),
});

const place = z.object({
	service: z.string(),
	backend: z.string(),
	state: z.string().exactOptional(),
	why: z.string().exactOptional(),
});

const verdict = z.discriminatedUnion("state", [
	z.object({ state: z.literal("in"), places: z.array(place) }),
	z.object({ state: z.enum(["pending", "out"]), why: z.string() }),
]);

const where = {
	netns: count,
	netnsName: z.string().exactOptional(),
	address: z.string(),
	port: count,
	pid: count,
	comm: z.string(),
};

const listener = z.object({
	state: z.enum(["listening", "closed"]),
	means: z.array(meaning),
	...where,
	hostname: z.string(),
	container: z.string().exactOptional(),
	containerName: z.string().exactOptional(),
	unit: z.string().exactOptional(),
	since: date,
	closedAt: date.exactOptional(),
	verdict: verdict.exactOptional(),
	unmatched: z.boolean().exactOptional(),
	steps: z.array(step),
	waitingFor: step.exactOptional(),
	history: z.array(change),
});

/** What the daemon answers, as documented. */
export const explainAnswer: z.ZodType<ExplainView> = z.object({
	recordedSince: date,
	meanings: z.array(z.object({ meaning, name: z.string(), listening: count, closed: count })),
	listeners: z.array(listener),
	more: count,
	strays: z.array(
		z.object({
			service: z.string(),
			id: z.string(),
			state: z.enum(["ready", "closing", "drain", "down", "out"]),
			held: z.boolean(),
			reason: z.string(),
			since: date.exactOptional(),
			host: z.string().exactOptional(),
			history: z.array(change).exactOptional(),
		}),
	),
	misses: z.array(
		z.object({
			service: z.string(),
			...where,
			key: z.string(),
			text: z.string(),
		}),
	),
	others: z.object({ in: count, unmatched: count }).exactOptional(),
});

/** @throws SolistendError when nothing fits, with the names that are nearest, and when no daemon answers. */
export async function explain({ json, what, port, pid, netns, container, service, ...where }: ExplainOptions) {
	const [asked] = Object.entries({ what, port, pid, netns, container, service }).filter(
		([, word]) => word !== undefined,
	);
	const query = asked === undefined ? "" : `?${new URLSearchParams({ [asked[0]]: String(asked[1]) })}`;
	const answer = await ask(await socketPath(where), "GET", `/v1/explain${query}`);
	const explained = understood(answer, explainAnswer);
	if (json) {
		printLine(jsonText(answer.body, 2));
		return 0;
	}
	// only a terminal has an edge to wrap at
	const width = process.stdout.isTTY ? process.stdout.columns : undefined;
	for (const line of explainLines(explained, { what: String(asked?.[1] ?? ""), nowMs: Date.now(), width }))
		printLine(line);
	return 0;
}
