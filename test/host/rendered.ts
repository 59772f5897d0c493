/**
 * What `solistend render` prints, without the half second that a process of its own takes: for files that have to be there
 * before a proxy starts.
 */

/** As it was built, for the benchmarks, too: a process can have the sensor's C library once. */
const built = (module: string) => import(new URL(`../../build/${module}`, import.meta.url).href);

/**
 * The text for the first proxy of a configuration.
 *
 * @throws SolistendError when the configuration or a template is wrong
 */
export async function rendered(file: string): Promise<string> {
	const { requireConfig }: typeof import("../../src/cli/config.js") = await built("cli/config.js");
	const { takeSnapshot }: typeof import("../../src/cli/snapshot.js") = await built("cli/snapshot.js");
	const { templateFolders }: typeof import("../../src/config/load.js") = await built("config/load.js");
	const { renderProxy }: typeof import("../../src/proxies/open.js") = await built("proxies/open.js");
	const { config } = await requireConfig(file);
	const [proxy] = config.proxies;
	if (proxy === undefined) throw new Error(`${file} has no proxy`);
	const { desired } = await takeSnapshot(config);
	return renderProxy(proxy, config.host, templateFolders(config, file), desired);
}
