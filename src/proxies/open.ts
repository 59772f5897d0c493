/** From a proxy's configuration to its driver, and to the text that it would write. The only place that knows all types. */

import type { DesiredSet } from "../backends/backend.js";
import type { Config, ProxyConfig } from "../config/schema.js";
import { prepareCommands } from "./command.js";
import { templateContext } from "./context.js";
import type { Driver } from "./driver.js";
import { createFileDriver } from "./file/driver.js";
import { createHaproxyDriver, previewHaproxy } from "./haproxy/driver.js";
import { renderHaproxy } from "./haproxy/rendering.js";
import { createNginxDriver } from "./nginx/driver.js";
import { loadTemplate } from "./render.js";
import type { Transact } from "./transaction.js";
import { trialSets } from "./trial.js";

/**
 * Loads the template and opens the driver.
 * @param host name of this host, for templates
 * @param templateFolders where templates are looked for, the first one first
 * @param transact who puts files in place; default: this process
 * @throws SolistendError when the template is not there or is wrong.
 */
export async function openDriver(
	proxy: ProxyConfig,
	host: string,
	templateFolders: readonly string[],
	transact?: Transact,
): Promise<Driver> {
	const template = await loadTemplate(proxy.template, templateFolders);
	const runsCommands = transact !== undefined || proxy.check !== undefined || proxy.reload !== undefined;
	if (runsCommands && proxy.mode === "apply") await prepareCommands();
	switch (proxy.type) {
		case "haproxy":
			return createHaproxyDriver({ proxy, host, template, transact });
		case "nginx":
			return createNginxDriver({ proxy, host, template, transact });
		case "file":
			return createFileDriver({ proxy, host, template });
		default:
			return proxy.type satisfies never;
	}
}

/**
 * The text that would be written for a desired set, beside what the proxy has now.
 * @throws SolistendError when the template is not there or is wrong.
 */
export async function renderProxy(
	proxy: ProxyConfig,
	host: string,
	templateFolders: readonly string[],
	desired: DesiredSet,
): Promise<string> {
	const template = await loadTemplate(proxy.template, templateFolders);
	if (proxy.type === "haproxy") return previewHaproxy({ proxy, host, template }, desired);
	return template.render(templateContext(proxy, host, desired));
}

/**
 * Renders a proxy's template for made-up backends of the configured services, and for none.
 * @throws SolistendError with the place of what is wrong in the template.
 */
export async function tryTemplate(
	proxy: ProxyConfig,
	host: string,
	templateFolders: readonly string[],
	services: Config["services"],
): Promise<void> {
	const template = await loadTemplate(proxy.template, templateFolders);
	const nothing = { file: { confirmed: true }, live: { state: "unknown" as const } };
	for (const set of trialSets(services)) {
		if (proxy.type === "haproxy") renderHaproxy({ proxy, host, template }, nothing, set);
		else template.render(templateContext(proxy, host, set));
	}
}
