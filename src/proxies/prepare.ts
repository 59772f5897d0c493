/**
 * What a proxy needs before it starts for the first time after a boot: its file exists, and names nobody from before,
 * whose address may be somebody else's by now. Knows nothing of what listens.
 */

import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import type { DesiredSet } from "../backends/backend.js";
import type { ProxyConfig } from "../config/schema.js";
import { outputFiles, readOutput, stage, swap } from "./atomic-write.js";
import { templateContext } from "./context.js";
import { withoutServers } from "./haproxy/declared.js";
import { readLive } from "./haproxy/live.js";
import { renderHaproxy } from "./haproxy/rendering.js";
import { readMaster } from "./nginx/master.js";
import { withoutUpstreamServers } from "./nginx/upstreams.js";
import { loadTemplate } from "./render.js";

/** What became of a file. */
export type Prepared = "made" | "disabled" | "untouched";

/**
 * Makes the file of a proxy where there is none, for services without backends; in one of HAProxy or Nginx that is there,
 * disables each server, unless the proxy runs already and has them.
 *
 * @param desired the services, without backends
 * @throws SolistendError when the template is wrong or the file can't be written.
 */
export async function prepareProxy(
	proxy: ProxyConfig,
	host: string,
	templateFolders: readonly string[],
	desired: DesiredSet,
): Promise<Prepared> {
	const files = await outputFiles(proxy.output);
	const { text } = await readOutput(files);
	if (text === undefined) {
		await mkdir(dirname(files.output), { recursive: true, mode: 0o755 });
		const template = await loadTemplate(proxy.template, templateFolders);
		const nothing = { file: { confirmed: true }, live: { state: "unknown" as const } };
		await stage(
			files,
			proxy.type === "haproxy"
				? renderHaproxy({ proxy, host, template }, nothing, desired).wanted.text
				: template.render(templateContext(proxy, host, desired)),
		);
		await swap(files, { unconfirmed: false });
		return "made";
	}
	if (proxy.type === "file") return "untouched";
	const disabled = proxy.type === "haproxy" ? withoutServers(text) : withoutUpstreamServers(text);
	if (disabled === text || (await mayRun(proxy))) return "untouched";
	await stage(files, disabled);
	await swap(files, { unconfirmed: false });
	return "disabled";
}

/** Whether it has its file already; not where the configuration tells no way to look. */
async function mayRun(proxy: ProxyConfig): Promise<boolean> {
	if (proxy.type === "nginx") return (await readMaster(proxy.pidFile)).state === "running";
	const live = await readLive(proxy, AbortSignal.timeout(proxy.timeout));
	return live.state !== "down" && !(live.state === "unknown" && live.why === undefined);
}
