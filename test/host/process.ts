/**
 * Long-running processes of a test or the demo: none outlives the one that started it, whatever ends that one. Knows
 * nothing of what they do.
 */

import { once } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import { execa } from "execa";

/** How a process ended; exactly one of the two is set. */
export interface Exit {
	readonly code: number | undefined;
	readonly signal: NodeJS.Signals | undefined;
}

export interface ProcessOptions {
	/** Added to the environment. */
	readonly env?: Readonly<Record<string, string>>;
	readonly cwd?: string;
	/** Called for each line of standard output and standard error. */
	readonly onLine?: (line: string, stream: "stdout" | "stderr") => void;
	/** True to keep standard input open, as a pipe, until `close`. */
	readonly stdin?: boolean;
	/** What the kernel sends it when this process ends: KILL, or TERM for one that ends its own children on that. */
	readonly deathSignal?: "KILL" | "TERM";
}

export interface Process extends AsyncDisposable {
	readonly pid: number;
	/** Resolves when it has ended. */
	readonly exited: Promise<Exit>;
	/** The last lines it wrote, both streams, for error messages. */
	lastLines(): string;
	/** Writes to its standard input, where that is open. */
	write(text: string): void;
	/** Sends a signal; false when it has ended already. */
	signal(name: NodeJS.Signals): boolean;
	/** SIGTERM, then SIGKILL after `patienceMs` (default 5 s), also for what it left in its process group. */
	close(patienceMs?: number): Promise<void>;
}

const LAST_LINES = 20;
const DRAIN_MS = 100;

/**
 * Starts a process in a session of its own, so that Ctrl-C in the terminal is left to the one who started it.
 * The kernel ends it when this process ends (`PR_SET_PDEATHSIG`; its children are its own affair).
 *
 * @throws Error when the program cannot be started
 */
export function startProcess(command: readonly string[], options: ProcessOptions = {}): Process {
	const { deathSignal = "KILL" } = options;
	const subprocess = execa("setpriv", ["--pdeathsig", deathSignal, "--", ...command], {
		detached: true,
		cleanup: false,
		forceKillAfterDelay: false,
		reject: false,
		buffer: false,
		stdin: options.stdin === true ? "pipe" : "ignore",
		...(options.env !== undefined && { env: { ...options.env } }),
		...(options.cwd !== undefined && { cwd: options.cwd }),
	});
	const { pid } = subprocess;
	if (pid === undefined) throw new Error("cannot start setpriv (it comes with Debian's util-linux)");

	const lines: string[] = [];
	const collect = async (stream: "stdout" | "stderr") => {
		for await (const line of subprocess.iterable({ from: stream })) {
			lines.push(line);
			if (lines.length > LAST_LINES) lines.shift();
			options.onLine?.(line, stream);
		}
	};
	const collected = Promise.all([collect("stdout"), collect("stderr")]);
	const exited = once(subprocess, "exit").then(async (): Promise<Exit> => {
		// What it wrote last is still in the pipes; a child of it may hold them open for long.
		await Promise.race([collected.catch(() => {}), pause(DRAIN_MS)]);
		return { code: subprocess.exitCode ?? undefined, signal: subprocess.signalCode ?? undefined };
	});

	const close = async (patienceMs = 5000) => {
		subprocess.kill("SIGTERM");
		const timer = setTimeout(() => subprocess.kill("SIGKILL"), patienceMs);
		await exited;
		clearTimeout(timer);
		kill(-pid, "SIGKILL");
	};

	return {
		pid,
		exited,
		lastLines: () => lines.join("\n"),
		write: (text) => void subprocess.stdin?.write(text),
		signal: (name) => subprocess.kill(name),
		close,
		[Symbol.asyncDispose]: () => close(),
	};
}

/** Sends a signal to a process, or to a process group (minus its id); nothing happens when there is none. */
export function kill(pid: number, signal: NodeJS.Signals): void {
	try {
		process.kill(pid, signal);
	} catch (error) {
		if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
	}
}
