/** `solistend drain`, `hold` and `release`: the operator's word on backends. */

import { z } from "zod";
import type { HoldState } from "../admin/view.js";
import { ask, type SocketOptions, socketPath, understood } from "./ask.js";
import { printLine, printNotice } from "./output.js";

export interface HoldOptions extends SocketOptions {
	/** `service/address:port`, `address:port` or a service's name. */
	readonly what: string;
}

const answer = z.object({
	backends: z.array(z.object({ service: z.string(), id: z.string() })),
	warning: z.string().optional(),
});

const DONE: Readonly<Record<HoldState, string>> = {
	drain: "held (drain): no new work",
	down: "held (down): out",
};

/** Drains, or takes out; kept until it is released. */
export async function hold(options: HoldOptions, state: HoldState): Promise<number> {
	return tell(options, "/v1/hold", { what: options.what, state }, DONE[state]);
}

export async function release(options: HoldOptions): Promise<number> {
	return tell(options, "/v1/release", { what: options.what }, "released");
}

async function tell(options: SocketOptions, path: string, body: object, done: string): Promise<number> {
	const { backends, warning } = understood(await ask(await socketPath(options), "POST", path, body), answer);
	for (const { service, id } of backends) printLine(`${service}/${id}  ${done}`);
	if (warning !== undefined) printNotice(`solistend: ${warning}`);
	return 0;
}
