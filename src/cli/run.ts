/** `solistend run`: the daemon, in the foreground. */

import { once } from "node:events";
import { type Daemon, openDaemon } from "../daemon.js";
import { openLog } from "../log.js";
import { takeManager } from "../systemd/notify.js";
import { statusLine } from "../systemd/status-line.js";
import { openSupervision, type Supervision } from "../systemd/supervision.js";
import { requireConfig } from "./config.js";

export interface RunOptions {
	readonly config: string;
	/** What the sensor's worker thread runs; default: the watcher. Tests put faulty ones here. */
	readonly workerUrl?: URL;
}

/** Runs until `signal`, or until the daemon can't go on; SIGHUP reads configuration and templates again. */
export async function run({ config: file, workerUrl }: RunOptions, signal: AbortSignal): Promise<number> {
	// before any child could inherit them
	const manager = takeManager();
	const { config } = await requireConfig(file);
	const { log, afterwards } = openLog(config.log);
	// whatever it ends by, but SIGKILL
	process.once("exit", afterwards.close);
	let daemon: Daemon | undefined;
	let supervision: Supervision | undefined;
	let isAsked = false;
	let reloads = 0;
	const reload = async () => {
		isAsked = daemon === undefined;
		reloads += 1;
		const own = reloads;
		supervision?.reloading();
		await daemon?.reload();
		// the last one of several; not again once it is to stop
		if (own === reloads && !signal.aborted) supervision?.reloaded();
	};
	const onHangUp = () => void reload();
	// before anything takes time: the default action of SIGHUP is to end the process
	process.on("SIGHUP", onHangUp);
	daemon = await openDaemon({ file, config, log, afterwards, workerUrl });
	const { ready, progress, summary } = daemon;
	if (manager !== undefined) {
		const opened = openSupervision({ manager, progress, line: () => statusLine(summary()) });
		supervision = opened;
		void ready.then(opened.ready);
	}
	if (isAsked) void reload();
	const interrupted = signal.aborted ? undefined : once(signal, "abort");
	const failure = await Promise.race([interrupted?.then(() => undefined), daemon.failed]);
	if (failure === undefined) log.info("stopping, the proxies go on serving what they have");
	else log.fatal({ reason: failure.message }, "cannot go on, the proxies go on serving what they have");
	supervision?.close();
	try {
		await daemon.close();
	} finally {
		// also where a thread is stuck, and SIGKILL is next
		afterwards.close();
	}
	process.off("SIGHUP", onHangUp);
	process.off("exit", afterwards.close);
	return 0;
}
