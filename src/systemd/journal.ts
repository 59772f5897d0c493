/** The journal as a reader of stderr: whether it is one, and how a line says its priority. Knows nothing of the log. */

import { fstatSync } from "node:fs";

/**
 * Whether a descriptor leads to the journal: systemd names the device and inode of what it connected in JOURNAL_STREAM
 * (systemd.exec(5)), so that one that was redirected since is told apart.
 */
export function isJournal(fd: number, stream = process.env["JOURNAL_STREAM"]): boolean {
	if (stream === undefined) return false;
	try {
		const { dev, ino } = fstatSync(fd, { bigint: true });
		return stream === `${dev}:${ino}`;
	} catch {
		return false;
	}
}

/** The prefix of a line that gives it a priority, sd-daemon(3); from a level of pino, which are 10 (trace) to 60 (fatal). */
export function priorityPrefix(level: number): string {
	if (level >= 60) return "<2>";
	if (level >= 50) return "<3>";
	if (level >= 40) return "<4>";
	return level >= 30 ? "<6>" : "<7>";
}
