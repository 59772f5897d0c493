/** The daemon: opens the stages in order, passes what one says on to the next, closes them in reverse. */

import { performance } from "node:perf_hooks";
import type { Logger } from "pino";
import { formatProblem, loadConfig, templateFolders } from "./config/load.js";
import type { Config } from "./config/schema.js";
import { watchFiles } from "./config/watch.js";
import { createResolver } from "./identity/resolver.js";
import { createPipeline } from "./pipeline.js";
import { openProxies } from "./proxies/proxies.js";
import { bootTimeNs } from "./sensor/libbpf.js";
import { openSensor } from "./sensor/sensor.js";

export interface DaemonOptions {
	readonly file: string;
	readonly config: Config;
	readonly log: Logger;
}

export interface Daemon {
	/** Reads the configuration and the templates again; a bad version is reported and the running one stays. */
	reload(): Promise<void>;
	/** Stops everything; the proxies go on serving what they have. */
	close(): Promise<void>;
}
