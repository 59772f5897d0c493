/** How a command that failed ends its process: what it says, and with which exit code. */

import { type ErrorCode, SolistendError } from "../errors.js";
import { isJournal, priorityPrefix } from "../systemd/journal.js";
import { printNotice } from "./output.js";

/** 0 fine, 1 a problem found, 2 wrong usage, 3 no daemon or a privilege is missing. */
const EXIT_CODES: Record<ErrorCode, number> = {
	config: 1,
	unsupported: 1,
	proxy: 1,
	sensor: 1,
	stuck: 1,
	privilege: 3,
	daemon: 3,
};

/** Says what went wrong, and ends the process. */
export function failWith(error: unknown): never {
	report(error);
	// Node would wait for the thread; whoever supervises us takes the signal for a failure, and starts us again
	if (error instanceof SolistendError && error.code === "stuck") process.kill(process.pid, "SIGKILL");
	// whatever else is still open must not keep a failed process alive
	process.exit();
}

/** A known trouble is a message; anything else is a bug, and shows its stack. */
function report(error: unknown): void {
	if (error instanceof SolistendError) {
		tell(error.code === "config" ? error.message : `solistend: ${error.message}`);
		process.exitCode = EXIT_CODES[error.code];
		return;
	}
	tell(error instanceof Error ? (error.stack ?? error.message) : String(error));
	process.exitCode = 1;
}

/** In the journal each line is an error. */
function tell(text: string): void {
	const prefix = isJournal(2) ? priorityPrefix(50) : "";
	printNotice(text.replace(/^/gm, prefix));
}
