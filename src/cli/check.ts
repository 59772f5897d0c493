/** `solistend check`: every problem of configuration and templates, with its place. */

import { templateFolders } from "../config/load.js";
import { SolistendError } from "../errors.js";
import { tryTemplate } from "../proxies/open.js";
import { requireConfig } from "./config.js";
import { printLine, printNotice } from "./output.js";

export interface CheckOptions {
	readonly config: string;
}

/** Exit code 1 when there is a problem. */
export async function check({ config: file }: CheckOptions): Promise<number> {
	const { config } = await requireConfig(file);
	const folders = templateFolders(config, file);
	const problems = new Set<string>();
	for (const proxy of config.proxies) {
		try {
			await tryTemplate(proxy, config.host, folders, config.services);
		} catch (error) {
			if (!(error instanceof SolistendError)) throw error;
			problems.add(error.message);
		}
	}
	for (const problem of problems) printNotice(problem);
	if (problems.size > 0) return 1;
	const count = (number: number, what: string) => `${number} ${what}${number === 1 ? "" : "s"}`;
	printLine(
		`${file}: ok (${count(Object.keys(config.services).length, "service")}, ${count(config.proxies.length, "proxy").replace("proxys", "proxies")})`,
	);
	return 0;
}
