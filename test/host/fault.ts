/** Faults of the sensor's worker thread, switched on and off by a file. See faulty-worker.mjs. */

import { access, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Daemon, startDaemon } from "./daemon.js";
import { tempFolder } from "./temp-folder.js";

/** What happens at the worker's next message; `once`: the next worker is a good one. */
export type Fault = `${"throw" | "exit" | "hang" | "stuck" | "late"}${"" | " once"}`;

export interface FaultyWorker {
	readonly url: URL;
	/** From the next message on. */
	fault(fault: Fault): Promise<void>;
	/** False once a fault that happens once has begun. */
	isSet(): Promise<boolean>;
	/** Workers that start from now on are good ones, and one that is late goes on. */
	mend(): Promise<void>;
	/** A daemon with such a worker, in a process of its own. */
	startDaemon(config: string): Daemon;
	close(): Promise<void>;
}

const url = new URL("faulty-worker.mjs", import.meta.url);
const script = fileURLToPath(new URL("faulty-daemon.mjs", import.meta.url));
const VARIABLE = "SOLISTEND_TEST_FAULT";

/** A worker without a fault yet. One at a time in a process: its environment says where the fault is. */
export async function faultyWorker(): Promise<FaultyWorker> {
	const folder = await tempFolder();
	const file = join(folder.path, "fault");
	process.env[VARIABLE] = file;
	return {
		url,
		fault: (fault) => writeFile(file, fault),
		isSet: () =>
			access(file).then(
				() => true,
				() => false,
			),
		mend: () => rm(file, { force: true }),
		startDaemon: (config) => startDaemon({ config, program: [process.execPath, script], env: { [VARIABLE]: file } }),
		async close() {
			delete process.env[VARIABLE];
			await folder.close();
		},
	};
}
