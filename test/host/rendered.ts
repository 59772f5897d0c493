/**
 * What `solistend render` prints, without the half second that a process of its own takes: for files that have to be there
 * before a proxy starts.
 */

import { requireConfig } from "../../src/cli/config.js";
import { takeSnapshot } from "../../src/cli/snapshot.js";
import { templateFolders } from "../../src/config/load.js";
import { renderProxy } from "../../src/proxies/open.js";

/**
 * The text for the first proxy of a configuration.
 *
 * @throws SolistendError when the configuration or a template is wrong
 */
export async function rendered(file: string): Promise<string> {
	const { config } = await requireConfig(file);
	const [proxy] = config.proxies;
	if (proxy === undefined) throw new Error(`${file} has no proxy`);
	const { desired } = await takeSnapshot(config);
	return renderProxy(proxy, config.host, templateFolders(config, file), desired);
}
