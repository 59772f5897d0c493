/**
 * Runs the check and reload commands of a proxy: no shell, bounded in time and output, and nothing of it left running
 * when the time is over. Knows nothing of what the commands do.
 */

import type { Readable } from "node:stream";
import { SolistendError } from "../errors.js";

export interface CommandOptions {
	/** What it is for, as a person calls it. */
	readonly what: "check" | "reload" | "start";
	/** Program and arguments; `{{output}}` in an argument is replaced. */
	readonly command: readonly string[];
	/** What `{{output}}` stands for. */
	readonly output: string;
	/** Command words that run it in a place of its own; they exit with 127 or 126 where it can't be run, as a shell. */
	readonly within?: readonly string[];
	readonly timeoutMs: number;
	readonly signal: AbortSignal;
}

/** How much of the output is kept, in characters; its end. */
const KEPT_OUTPUT = 65_536;

/** Between SIGTERM and SIGKILL. */
const TERM_GRACE_MS = 1000;

/** How long the output is waited for once the program has exited: a process that it left behind may hold it open. */
const OUTPUT_GRACE_MS = 100;

/** How many lines of the program's output an error repeats. */
const TOLD_LINES = 3;

/** How a shell exits where it can't run a program, sh(1). */
const SHELL_CODES: ReadonlyMap<number, string> = new Map([
	[127, "ENOENT"],
	[126, "EACCES"],
]);

/** Loads what runs commands, so that the first change does not have to wait for it. */
export async function prepareCommands(): Promise<void> {
	await import("execa");
}

/**
 * Runs a command and resolves when it exited with 0.
 * @throws SolistendError naming the command, how it ended and what it said; the signal's reason when that was aborted.
 */
export async function runCommand({
	what,
	command,
	output,
	within = [],
	timeoutMs,
	signal,
}: CommandOptions): Promise<void> {
	const words = command.map((part) => part.replaceAll("{{output}}", output));
	const line = words.join(" ");
	const [program = "", ...args] = [...within, ...words];
	const cannotRun = (why: string) => new SolistendError("proxy", `cannot run the ${what} command "${line}": ${why}`);
	// Loaded where it is used: who runs no command has no need of it.
	const { execa } = await import("execa");
	signal.throwIfAborted();

	// Its own process group, so that all of it can be stopped.
	const child = execa(program, args, { detached: true, stdin: "ignore", all: true, buffer: false, reject: false });
	const said = collect(child.all);
	const kill = (name: NodeJS.Signals) => {
		if (child.pid !== undefined) killGroup(child.pid, name);
	};
	let killTimer: NodeJS.Timeout | undefined;
	let outputTimer: NodeJS.Timeout | undefined;
	const deadline = AbortSignal.timeout(timeoutMs);
	const stop = AbortSignal.any([signal, deadline]);
	const onStop = () => {
		kill("SIGTERM");
		killTimer = setTimeout(() => kill("SIGKILL"), TERM_GRACE_MS);
	};
	stop.addEventListener("abort", onStop, { once: true });
	const exited = new Promise<undefined>((resolve) => {
		child.once("exit", () => {
			outputTimer = setTimeout(() => resolve(undefined), OUTPUT_GRACE_MS);
		});
	});
	try {
		const result = await Promise.race([child, exited]);
		if (child.pid === undefined) {
			throw cannotRun(startTrouble(program, result?.code, result?.originalMessage));
		}
	} finally {
		stop.removeEventListener("abort", onStop);
		clearTimeout(killTimer);
		clearTimeout(outputTimer);
		child.all.destroy();
	}
	if (stop.aborted) {
		// What ignored SIGTERM or was left behind by the program itself.
		kill("SIGKILL");
		signal.throwIfAborted();
		throw new SolistendError(
			"proxy",
			`${what} command "${line}" did not end within ${timeoutMs} ms and was stopped${told(said())} (mend it, or raise timeout)`,
		);
	}
	if (child.exitCode === 0) return;
	const shellCode = within.length === 0 ? undefined : SHELL_CODES.get(child.exitCode ?? 0);
	if (shellCode !== undefined) throw cannotRun(startTrouble(words[0] ?? "", shellCode, undefined));
	const how = child.exitCode === null ? `was ended by ${child.signalCode}` : `exited with code ${child.exitCode}`;
	throw new SolistendError("proxy", `${what} command "${line}" ${how}${told(said())}`);
}

function startTrouble(program: string, code: string | undefined, message: string | undefined): string {
	// A folder of PATH that may not be searched makes a missing program EACCES, execvp(3).
	const isSearched = !program.includes("/");
	if (code === "ENOENT" || (code === "EACCES" && isSearched)) {
		return `${program} is not installed (install it, or give its full path)`;
	}
	if (code === "EACCES") return `${program} may not be executed (make it executable)`;
	return `${message ?? code} (mend the command)`;
}

/** Gathers the end of an output, and returns what it has so far when called. */
function collect(stream: Readable): () => string {
	let text = "";
	stream.on("data", (chunk: Buffer | string) => {
		text = (text + chunk.toString()).slice(-KEPT_OUTPUT);
	});
	// Destroying a stream that is still open is no trouble.
	stream.on("error", () => {});
	return () => text;
}

function killGroup(pid: number, name: NodeJS.Signals): void {
	try {
		process.kill(-pid, name);
	} catch {
		// Nobody is left in the group.
	}
}

/** The lines of a program's output that tell what is wrong, as a clause; without the pids that differ each time. */
function told(output: string): string {
	const lines = output
		.split("\n")
		.map((line) => line.trim())
		.filter((line) => line !== "");
	const telling = lines.filter((line) => /alert|emerg|error|fatal|fail|invalid|denied|unknown|cannot/i.test(line));
	const chosen = telling.length > 0 ? telling.slice(0, TOLD_LINES) : lines.slice(-TOLD_LINES);
	if (chosen.length === 0) return " and said nothing";
	return `: ${chosen.map((line) => line.replace(/^\[(\w+)\]\s*\(\d+\)\s*:\s*/, "")).join("; ")}`;
}
