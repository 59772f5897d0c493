/** `solistend fallback`: HAProxy's own checks take over from a daemon that ended without a last word. Needs no daemon. */

import { switchChecksOn } from "../proxies/haproxy/fallback.js";
import { requireConfig } from "./config.js";
import { printLine, printNotice } from "./output.js";

export interface FallbackOptions {
	readonly config: string;
}

/** Exit code 1 when some checks may still be off; a HAProxy that does not run needs nothing, and is not mentioned. */
export async function fallback({ config: file }: FallbackOptions): Promise<number> {
	const { config } = await requireConfig(file);
	const proxies = config.proxies.filter(({ type, mode, fallbackChecks }) => {
		return type === "haproxy" && mode === "apply" && fallbackChecks;
	});
	const results = await Promise.all(
		proxies.map(async (proxy) => ({ name: proxy.name, result: await switchChecksOn(proxy) })),
	);
	for (const { name, result } of results) {
		switch (result.state) {
			case "on":
				printLine(`${name}: HAProxy's own checks are on (${result.servers} were off)`);
				break;
			case "nobody":
				break;
			case "failed":
				printNotice(`solistend: cannot switch on the checks of proxy ${name}: ${result.why}`);
				break;
			default:
				result satisfies never;
		}
	}
	return results.some(({ result }) => result.state === "failed") ? 1 : 0;
}
