/** `solistend run`: the daemon, in the foreground. */

import { once } from "node:events";
import { type Daemon, openDaemon } from "../daemon.js";
import { openLog } from "../log.js";
import { requireConfig } from "./config.js";

export interface RunOptions {
	readonly config: string;
}

/** Runs until `signal`; SIGHUP reads configuration and templates again. */
export async function run({ config: file }: RunOptions, signal: AbortSignal): Promise<number> {
	const { config } = await requireConfig(file);
	const log = openLog(config.log);
	let daemon: Daemon | undefined;
	const reload = () => void daemon?.reload();
	// before anything takes time: the default action of SIGHUP is to end the process
	process.on("SIGHUP", reload);
	daemon = await openDaemon({ file, config, log });
	if (!signal.aborted) await once(signal, "abort");
	process.off("SIGHUP", reload);
	log.info("stopping, the proxies go on serving what they have");
	await daemon.close();
	return 0;
}
