/** `solistend run --config FILE` with the faulty worker in place of the watcher: node faulty-daemon.mjs FILE */

import { failWith } from "../../build/cli/fail.js";
import { run } from "../../build/cli/run.js";

const interrupted = new AbortController();
for (const name of ["SIGINT", "SIGTERM"]) process.once(name, () => interrupted.abort());
const workerUrl = new URL("faulty-worker.mjs", import.meta.url);
try {
	process.exitCode = await run({ config: process.argv[2], workerUrl }, interrupted.signal);
} catch (error) {
	failWith(error);
}
