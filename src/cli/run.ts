/** `solistend run`: the daemon, in the foreground. */

import { once } from "node:events";
import { openDaemon } from "../daemon.js";
import { openLog } from "../log.js";
import { requireConfig } from "./config.js";

export interface RunOptions {
	readonly config: string;
}

/** Runs until `signal`; SIGHUP reads configuration and templates again. */
export async function run({ config: file }: RunOptions, signal: AbortSignal): Promise<number> {
	const { config } = await requireConfig(file);
	const log = openLog(config.log);
	const daemon = await openDaemon({ file, config, log });
	const reload = () => void daemon.reload();
	process.on("SIGHUP", reload);
	if (!signal.aborted) await once(signal, "abort");
	process.off("SIGHUP", reload);
	log.info("stopping, the proxies go on serving what they have");
	await daemon.close();
	return 0;
}
