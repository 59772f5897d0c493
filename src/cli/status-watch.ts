/**
 * `solistend status --watch`: the status on the whole terminal, drawn anew when something in it changes. Whatever ends it,
 * the terminal is left as it was.
 */

import type { DaemonStatus } from "../admin/view.js";
import { SolistendError } from "../errors.js";
import { fleetLines } from "./fleet-lines.js";
import { follow } from "./follow.js";
import { jsonText, printLine } from "./output.js";
import { screenOf } from "./screen.js";
import { statusLines } from "./status-lines.js";

/** Between two drawings. */
const PAUSE_MS = 250;
/** How long ago things were goes on by itself. */
const BEAT_MS = 1000;
/** From the daemon's end to the next try. */
const RETRY_MS = 1000;

/** Of a terminal that does not say how large it is, such as a serial line. */
const SIZE = { columns: 80, rows: 24 };

/** To the other screen of the terminal, without a cursor; and back. */
const ENTER = "\u001b[?1049h\u001b[?25l";
const LEAVE = "\u001b[?25h\u001b[?1049l";

export interface WatchOptions {
	/** One whole status a line, each time that it changes; needs no terminal. */
	readonly json: boolean;
	/** The other hosts alone. */
	readonly isFleet: boolean;
}

/** @throws SolistendError without a terminal, or without a daemon at the start */
export async function watchStatus(socket: string, options: WatchOptions, interrupted: AbortSignal): Promise<number> {
	if (options.json) {
		await follow(
			socket,
			(status) => printLine(jsonText(options.isFleet ? (status.fleet ?? null) : status)),
			interrupted,
		);
		return 0;
	}
	const { stdin, stdout } = process;
	if (!stdout.isTTY) {
		throw new SolistendError(
			"config",
			"--watch draws on a terminal, and stdout is none (for programs: --watch --json)",
		);
	}
	const ended = new AbortController();
	const signal = AbortSignal.any([interrupted, ended.signal]);
	let now: DaemonStatus | undefined;
	let trouble: string | undefined;
	let offset = 0;
	let pending: NodeJS.Timeout | undefined;

	const draw = () => {
		pending = undefined;
		if (now === undefined || signal.aborted) return;
		// only what changed was told since the first status
		const uptimeMs = Date.now() - Date.parse(now.startedAt);
		const lines = options.isFleet ? linesOfFleet(now) : statusLines({ ...now, uptimeMs }, Date.now());
		const size = { columns: stdout.columns || SIZE.columns, rows: stdout.rows || SIZE.rows };
		const screen = screenOf(lines, size, offset, trouble);
		({ offset } = screen);
		stdout.write(screen.text);
	};
	const soon = () => {
		pending ??= setTimeout(draw, PAUSE_MS);
	};
	const scroll = (by: number) => {
		offset = Math.max(0, offset + by);
		draw();
	};
	const onKey = (key: string) => {
		const page = Math.max(1, (stdout.rows || SIZE.rows) - 3);
		// in raw mode Ctrl-C is a key like any other
		if (key === "q" || key === "Q" || key === "\u0003") ended.abort();
		else if (key === "j" || key === "\u001b[B") scroll(1);
		else if (key === "k" || key === "\u001b[A") scroll(-1);
		else if (key === " " || key === "\u001b[6~") scroll(page);
		else if (key === "b" || key === "\u001b[5~") scroll(-page);
		else if (key === "g") scroll(-offset);
	};
	let isDrawing = false;
	let beat: NodeJS.Timeout | undefined;
	const enter = () => {
		isDrawing = true;
		stdout.write(ENTER);
		if (stdin.isTTY) stdin.setRawMode(true);
		stdin.setEncoding("utf8").on("data", onKey).resume();
		stdout.on("resize", draw);
		beat = setInterval(soon, BEAT_MS);
	};
	const leave = () => {
		clearInterval(beat);
		clearTimeout(pending);
		stdin.off("data", onKey).pause();
		stdout.off("resize", draw);
		if (!isDrawing) return;
		if (stdin.isTTY) stdin.setRawMode(false);
		stdout.write(LEAVE);
	};

	const onStatus = (status: DaemonStatus) => {
		now = status;
		trouble = undefined;
		if (isDrawing) return soon();
		// not before there is something to draw: an error is told where it was asked
		enter();
		draw();
	};
	try {
		while (!signal.aborted) {
			try {
				await follow(socket, onStatus, signal);
			} catch (error) {
				if (!isDrawing || !(error instanceof SolistendError)) throw error;
				trouble = error.message;
				draw();
				await until(RETRY_MS, signal);
			}
		}
	} finally {
		leave();
	}
	return 0;
}

function linesOfFleet({ fleet }: DaemonStatus): string[] {
	return fleet === undefined ? ["this host is in no fleet"] : fleetLines(fleet, Date.now());
}

/** Resolves then, or once it is aborted. */
function until(ms: number, signal: AbortSignal): Promise<void> {
	return new Promise((resolve) => {
		const timer = setTimeout(done, ms);
		function done() {
			clearTimeout(timer);
			signal.removeEventListener("abort", done);
			resolve();
		}
		signal.addEventListener("abort", done);
	});
}
