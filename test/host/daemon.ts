/** The daemon as a user runs it: `solistend run`, built, in a process of its own; its log as values. */

import { EventEmitter, once } from "node:events";
import { fileURLToPath } from "node:url";
import { enter, type Netns } from "./netns.js";
import { type Exit, startProcess } from "./process.js";

/** A line of its log. What else it carries depends on `msg`. */
export interface LogLine {
	readonly level: string;
	/** ISO 8601, with milliseconds. */
	readonly time: string;
	readonly msg: string;
	readonly [key: string]: unknown;
}

export interface DaemonOptions {
	/** Path of the configuration file. */
	readonly config: string;
	/** Default: the host's namespace. */
	readonly netns?: Netns | undefined;
	/** What is run, before the configuration's path; default: `solistend run --config`, as built. */
	readonly program?: readonly string[];
	/** Added to the environment. */
	readonly env?: Readonly<Record<string, string>>;
	/** Called for each line of its log, as it comes. */
	readonly onLine?: (line: LogLine) => void;
}

export interface WaitOptions {
	/** Index into `lines` of the first to look at; default 0: whatever was logged so far counts, too. */
	readonly from?: number;
	readonly timeoutMs?: number;
	readonly signal?: AbortSignal | undefined;
}

export interface Daemon extends AsyncDisposable {
	readonly pid: number;
	readonly exited: Promise<Exit>;
	/** Its log so far. */
	readonly lines: readonly LogLine[];
	/** The last lines it wrote, for error messages. */
	lastLines(): string;
	/**
	 * The first line with this message, or for which the predicate holds.
	 *
	 * @throws Error with the last lines when there is none within `timeoutMs` (default 10 s), or when it ends first
	 */
	waitFor(wanted: string | ((line: LogLine) => boolean), options?: WaitOptions): Promise<LogLine>;
	/** SIGTERM. @throws Error with the last lines when it does not end with code 0 within 5 s */
	stop(): Promise<void>;
	/** SIGKILL: it gets no chance to clean up. */
	kill(): Promise<void>;
	/** Ends it, whatever state it is in. */
	close(): Promise<void>;
}

const COMMAND = fileURLToPath(new URL("../../dist/solistend.js", import.meta.url));

/** The command words of `solistend`, as built: the file that an installed `solistend` links to. */
export const solistend = (...words: string[]): [string, ...string[]] => [COMMAND, ...words];

/** Starts the daemon. Returns at once: wait for its line `ready`. */
export function startDaemon({ config, netns, program, env, onLine }: DaemonOptions): Daemon {
	const lines: LogLine[] = [];
	const news = new EventEmitter();
	const daemon = startProcess([...enter(netns), ...(program ?? solistend("run", "--config")), config], {
		...(env !== undefined && { env }),
		onLine(text, stream) {
			const line = stream === "stderr" ? parseLine(text) : undefined;
			if (line === undefined) return;
			lines.push(line);
			onLine?.(line);
			news.emit("line");
		},
	});

	const ended = new AbortController();
	daemon.exited.then(() => ended.abort());

	const waitFor: Daemon["waitFor"] = async (wanted, { from = 0, timeoutMs = 10_000, signal } = {}) => {
		const isWanted = typeof wanted === "string" ? (line: LogLine) => line.msg === wanted : wanted;
		const what = typeof wanted === "string" ? `"${wanted}"` : "the expected line";
		const late = new AbortController();
		const timer = setTimeout(() => late.abort(), timeoutMs);
		const limit = AbortSignal.any([late.signal, ended.signal, ...(signal === undefined ? [] : [signal])]);
		try {
			for (let next = from; ; next += 1) {
				while (next >= lines.length) await once(news, "line", { signal: limit });
				const line = lines[next];
				if (line !== undefined && isWanted(line)) return line;
			}
		} catch (error) {
			signal?.throwIfAborted();
			if (!limit.aborted) throw error;
			const why = late.signal.aborted
				? `did not log ${what} within ${timeoutMs / 1000} s`
				: `ended before it logged ${what}`;
			throw new Error(`the daemon ${why}; its last lines:\n${daemon.lastLines()}`);
		} finally {
			clearTimeout(timer);
		}
	};

	return {
		pid: daemon.pid,
		exited: daemon.exited,
		lines,
		lastLines: daemon.lastLines,
		waitFor,
		async stop() {
			await daemon.close();
			const { code, signal } = await daemon.exited;
			if (code !== 0)
				throw new Error(`the daemon ended with ${signal ?? `code ${code}`}; its last lines:\n${daemon.lastLines()}`);
		},
		async kill() {
			daemon.signal("SIGKILL");
			await daemon.exited;
		},
		close: daemon.close,
		[Symbol.asyncDispose]: daemon.close,
	};
}

/** A line of the log, or undefined for what is none (a stack of a crash, a warning of Node's). */
function parseLine(text: string): LogLine | undefined {
	try {
		const value: unknown = JSON.parse(text);
		return isLogLine(value) ? value : undefined;
	} catch {
		return undefined;
	}
}

function isLogLine(value: unknown): value is LogLine {
	return typeof value === "object" && value !== null && "msg" in value && "time" in value && "level" in value;
}
