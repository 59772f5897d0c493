/** The daemon's log: JSON lines on stderr, as journald and people's tools take them. */

import { destination, type Logger, pino } from "pino";
import type { Config } from "./config/schema.js";

/** A logger that writes at once; nothing is lost when the process is killed. */
export function openLog({ level }: Config["log"]): Logger {
	return pino(
		{
			level,
			base: null,
			timestamp: () => `,"time":"${new Date().toISOString()}"`,
			formatters: { level: (label) => ({ level: label }) },
		},
		destination({ fd: 2, sync: true }),
	);
}
