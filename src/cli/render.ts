/** `solistend render`: what would be written now, or how it differs from the live files, on stdout. Needs no daemon, and changes nothing. */

import { templateFolders } from "../config/load.js";
import { SolistendError } from "../errors.js";
import { outputFiles, readOutput } from "../proxies/atomic-write.js";
import { renderProxy } from "../proxies/open.js";
import { requireConfig } from "./config.js";
import { diffLines } from "./diff.js";
import { printLine, printNotice } from "./output.js";
import { takeSnapshot } from "./snapshot.js";

export interface RenderOptions {
	readonly config: string;
	/** Only this one. */
	readonly proxy?: string | undefined;
	/** What differs from the live files instead. */
	readonly diff: boolean;
}

export async function render({ config: file, proxy: only, diff }: RenderOptions): Promise<number> {
	const { config } = await requireConfig(file);
	const proxies = config.proxies.filter(({ name }) => only === undefined || name === only);
	if (proxies.length === 0) {
		const names = config.proxies.map(({ name }) => name).join(", ");
		const what = only === undefined ? "no proxy is configured" : `no proxy is named ${only} (there are: ${names})`;
		throw new SolistendError("config", `${file}: proxies: ${what}`);
	}
	const { desired } = await takeSnapshot(config);
	for (const proxy of proxies) {
		const text = await renderProxy(proxy, config.host, templateFolders(config, file), desired);
		if (diff) {
			const live = await readOutput(await outputFiles(proxy.output));
			for (const line of await diffLines(proxy.output, live.text, text)) printLine(line);
			continue;
		}
		if (proxies.length > 1) printNotice(`--- ${proxy.name}: ${proxy.output}`);
		process.stdout.write(text);
	}
	return 0;
}
