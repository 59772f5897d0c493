/** `solistend prepare`: the proxies' files, before these start after a boot. Needs no daemon. */

import { templateFolders } from "../config/load.js";
import type { ProxyConfig } from "../config/schema.js";
import { messageOf } from "../errors.js";
import { requireRootOnly } from "../proxies/apply/root-only.js";
import { prepareProxy } from "../proxies/prepare.js";
import { servicesAlone } from "../proxies/trial.js";
import { requireConfig } from "./config.js";
import { printLine, printNotice } from "./output.js";

export interface PrepareOptions {
	readonly config: string;
}

/**
 * Exit code 1 when a file could not be made. Root writes only where nobody else does, since a link could be there; who is
 * not root, only what is not root's to write.
 */
export async function prepare({ config: file }: PrepareOptions): Promise<number> {
	const { config } = await requireConfig(file);
	const isRoot = process.geteuid?.() === 0;
	const services = servicesAlone(config.services).toSorted((a, b) => (a.name < b.name ? -1 : 1));
	let code = 0;
	for (const proxy of config.proxies.filter(({ mode }) => mode === "apply")) {
		try {
			if (isRoot ? await isSomebodyElses(proxy) : proxy.apply === "unit") continue;
			const done = await prepareProxy(proxy, config.host, templateFolders(config, file), services);
			printLine(`${proxy.name}: ${{ made: "made", disabled: "every server disabled", untouched: "as it was" }[done]}`);
		} catch (error) {
			printNotice(`solistend: cannot prepare the file of proxy ${proxy.name}: ${messageOf(error)}`);
			code = 1;
		}
	}
	return code;
}

/** Whether a file is in a folder that another user than root may write in, and is that user's affair. */
async function isSomebodyElses({ output, apply }: ProxyConfig): Promise<boolean> {
	try {
		await requireRootOnly(output, "the output");
		return false;
	} catch (error) {
		if (apply === "unit") throw error;
		return true;
	}
}
