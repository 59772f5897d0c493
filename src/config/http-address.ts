/** Where the status page is served: how it is written, and what it becomes. Loopback unless an address is written out. */

import { z } from "zod";
import { formatIp, isLoopback, parseIp } from "../ip.js";
import { mustBe } from "./wording.js";

/** A place to listen for HTTP. */
export interface HttpAddress {
	/** An IP address. */
	readonly address: string;
	readonly port: number;
}

const A_PLACE = mustBe("a port, or address:port such as 127.0.0.1:9141 or [::1]:9141 (an IP address, no name)");

const error = { error: A_PLACE };

/** Written as `9141`, `127.0.0.1:9141` or `"[::1]:9141"`. */
export const httpAddress = z
	.union(
		[
			z.int(error).min(1, error).max(65_535, error),
			z.string(error).regex(/^(?:(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-fA-F:.]+\]):)?\d{1,5}$/, error),
		],
		error,
	)
	.meta({ title: "port or address:port" })
	.transform((written, context): HttpAddress => {
		const text = String(written);
		const colon = text.lastIndexOf(":");
		const port = Number(text.slice(colon + 1));
		const ip = parseIp(colon === -1 ? "127.0.0.1" : text.slice(0, colon).replace(/[[\]]/g, ""));
		if (ip !== undefined && port >= 1 && port <= 65_535) return { address: formatIp(ip), port };
		context.addIssue({ code: "custom", message: A_PLACE({ input: written }) ?? "" });
		return z.NEVER;
	});

/** Whether nobody but this host reaches it. */
export const isLocalOnly = ({ address }: HttpAddress): boolean => {
	const ip = parseIp(address);
	return ip !== undefined && isLoopback(ip);
};
