/** `solistend forget`: a service that exists by label is no more. */

import { z } from "zod";
import { ask, type SocketOptions, socketPath, understood } from "./ask.js";
import { printLine, printNotice } from "./output.js";

export interface ForgetOptions extends SocketOptions {
	/** Its name. */
	readonly service: string;
}

const answer = z.object({ service: z.string(), warning: z.string().optional() });

export async function forget({ service: name, ...options }: ForgetOptions): Promise<number> {
	const asked = await ask(await socketPath(options), "POST", "/v1/forget", { service: name });
	const { service, warning } = understood(asked, answer);
	printLine(`${service}  forgotten`);
	if (warning !== undefined) printNotice(`solistend: ${warning}`);
	return 0;
}
