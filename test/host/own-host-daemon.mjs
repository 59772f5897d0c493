/**
 * `solistend run --config FILE` as on a machine of its own, though other hosts of the test share its kernel: node
 * own-host-daemon.mjs FILE, with the environment that own-host.mjs names.
 */

import { register } from "node:module";

register("./own-host-hook.mjs", import.meta.url);
const { failWith } = await import("../../build/cli/fail.js");
const { run } = await import("../../build/cli/run.js");

const interrupted = new AbortController();
for (const name of ["SIGINT", "SIGTERM"]) process.once(name, () => interrupted.abort());
try {
	process.exitCode = await run({ config: process.argv[2] }, interrupted.signal);
} catch (error) {
	failWith(error);
}
