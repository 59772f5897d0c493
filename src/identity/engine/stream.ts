/** An engine's `/events`, line by line, for as long as it lasts. Knows nothing of what the lines say. */

import { messageOf } from "../../errors.js";
import { EVENT_FILTERS } from "./event.js";
import { deadline, doesNotAnswer, type EngineSocket, openRequest } from "./request.js";

export interface EventStream {
	/** As the engine calls itself in its `Server` header, e.g. `Docker/20.10.24 (linux)`; empty when it does not. */
	readonly server: string;
	/** Resolves when it has ended, with a clause that says why. */
	readonly ended: Promise<string>;
}

export type Followed =
	| { readonly state: "ok"; readonly stream: EventStream }
	| { readonly state: "failed"; readonly why: string };

const OPEN_TIMEOUT_MS = 5000;
/** Longest line in characters: 10,000 characters of label are one of many. */
const MAX_LINE = 4 * 1024 * 1024;

/**
 * Opens the stream; resolves when the engine sends events from now on. Ends with the signal. Never rejects.
 *
 * @param onLine false when it can't be read: what it told is lost, and with it the sense of going on
 */
export async function followEvents(
	{ socket, signal }: EngineSocket,
	onLine: (line: string) => boolean,
): Promise<Followed> {
	const bound = deadline(signal, OPEN_TIMEOUT_MS);
	const fail = (why: string): Followed => {
		bound.release();
		return { state: "failed", why: bound.isMissed() ? doesNotAnswer(OPEN_TIMEOUT_MS) : why };
	};
	// No `since`: Podman 4.3 takes it for "from the beginning".
	const query = new URLSearchParams({ filters: JSON.stringify(EVENT_FILTERS) });
	const opening = await openRequest({ socket, path: `/events?${query}`, signal: bound.signal });
	if (opening.state === "failed") return fail(opening.why);
	bound.meet();
	const { request, response } = opening.opened;
	if (response.statusCode !== 200) {
		request.destroy();
		return fail(`answers ${response.statusCode} to /events`);
	}
	response.setEncoding("utf8");
	const read = async () => {
		let rest = "";
		for await (const chunk of response) {
			const lines = `${rest}${chunk}`.split("\n");
			rest = lines.pop() ?? "";
			for (const line of lines) {
				if (line.trim() !== "" && !onLine(line))
					return `sent an event that can't be read: ${JSON.stringify(line.slice(0, 40))}`;
			}
			if (rest.length > MAX_LINE) return `sent an event of more than ${MAX_LINE} characters`;
		}
		return "ended its events";
	};
	const ended = read()
		.catch((error: unknown) => `broke off its events (${messageOf(error)})`)
		.finally(() => {
			request.destroy();
			bound.release();
		});
	const { server = "" } = response.headers;
	return { state: "ok", stream: { server: typeof server === "string" ? server : "", ended } };
}
