/**
 * `npm run demo`: plays a story on real parts and shows it as it happens; then goes on showing until Ctrl-C.
 * `npm run demo -- --once`: plays it, checks it, and exits with 0 or 1. Owns the order of things and the signals.
 */

import { once } from "node:events";
import { parseArgs } from "node:util";
import { messageOf, SolistendError } from "../../src/errors.js";
import { freePort, isPortFree } from "../host/port.js";
import { requirePrivileges, skipPrivileged } from "../host/privileges.js";
import { createNarrator } from "./narrator.js";
import { openScreen, type Screen } from "./screen.js";
import { openStage, type Stage } from "./stage.js";
import { playStory, type StoryResult } from "./story.js";

const USAGE = `usage: npm run demo -- [--once] [--port PORT]

  --once       play the story once, check it, exit 0 or 1
  --port PORT  where HAProxy listens on 127.0.0.1 (default 8080)`;

const DEFAULT_PORT = 8080;
const NAMES = ["blue", "green", "red"];

interface Wishes {
	readonly once: boolean;
	readonly port: number | undefined;
}

process.exitCode = await main();

async function main(): Promise<number> {
	const wishes = readWishes();
	if (wishes === undefined) {
		console.error(USAGE);
		return 2;
	}
	if (wishes.once && skipPrivileged) {
		console.log("demo: skipped (SOLISTEND_SKIP_PRIVILEGED=1)");
		return 0;
	}
	// `su` without `-` leaves out where ip, nginx and haproxy are.
	process.env["PATH"] = `${process.env["PATH"]}:/usr/sbin:/sbin`;
	const screen = openScreen();
	const interrupted = untilInterrupted();
	try {
		requirePrivileges();
		return await show(wishes, screen, interrupted);
	} catch (error) {
		return report(error, wishes, screen, interrupted);
	}
}

/** Sets the stage, plays, and clears it again, whatever happens in between. The exit code. */
async function show(wishes: Wishes, screen: Screen, interrupted: AbortSignal): Promise<number> {
	const port = await choosePort(wishes);
	screen.note(introduction(port));
	const narrate = createNarrator(screen);
	let isOver = false;
	const stage = await openStage({
		port,
		names: NAMES,
		onLine: (line) => isOver || narrate(line),
		signal: interrupted,
	});
	const code = await perform(stage, wishes, screen, AbortSignal.any([interrupted, stage.failed])).catch((error) =>
		report(error, wishes, screen, interrupted),
	);
	isOver = true;
	screen.note("removing what was made …");
	await stage.close();
	const left = await stage.leftovers();
	if (left.length === 0) screen.note("removed: namespaces, bridge, processes, folder; nothing is left");
	else screen.trouble(`still there:\n${left.map((line) => `  ${line}`).join("\n")}`);
	return left.length === 0 ? code : 1;
}

async function perform(stage: Stage, { once: isOnce }: Wishes, screen: Screen, signal: AbortSignal): Promise<number> {
	for (const line of stage.made) screen.note(`  made: ${line}`);
	screen.note("");
	screen.begin();
	const result = await playStory({ stage, screen, pauseMs: isOnce ? 600 : 1500, signal });
	screen.note(`\n${summary(result)}`);
	if (isOnce) return 0;
	screen.note(hints(stage, result));
	if (!signal.aborted) await once(signal, "abort");
	throw signal.reason;
}

/** Says what went wrong, if anything did: in a demo without an end Ctrl-C is the way out. The exit code. */
function report(error: unknown, { once }: Wishes, screen: Screen, interrupted: AbortSignal): number {
	if (interrupted.aborted) {
		screen.note("\nstopped");
		return once ? 1 : 0;
	}
	screen.trouble(`\ndemo: ${messageOf(error)}`);
	return 1;
}

/** Undefined when the command line is wrong. */
function readWishes(): Wishes | undefined {
	try {
		const { values } = parseArgs({ options: { once: { type: "boolean" }, port: { type: "string" } } });
		const port = values.port === undefined ? undefined : Number(values.port);
		if (port !== undefined && !(Number.isInteger(port) && port >= 1 && port <= 65_535)) return undefined;
		return { once: values.once ?? false, port };
	} catch {
		return undefined;
	}
}

/** The port that was asked for or is usual; one that is free where nobody is there to choose. */
async function choosePort({ once, port }: Wishes): Promise<number> {
	const wanted = port ?? DEFAULT_PORT;
	if (await isPortFree(wanted)) return wanted;
	if (once && port === undefined) return freePort();
	throw new SolistendError(
		"proxy",
		`cannot use port ${wanted} of 127.0.0.1, somebody listens there (choose another: npm run demo -- --port 8081)`,
	);
}

/** Aborts on the first signal that asks to end. The further ones change nothing: what is being removed gets removed. */
function untilInterrupted(): AbortSignal {
	const controller = new AbortController();
	const interrupt = () => controller.abort();
	for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, interrupt);
	// The terminal is gone, or the reader has seen enough (`npm run demo | head`).
	process.stdout.on("error", interrupt);
	return controller.signal;
}

function introduction(port: number): string {
	return `solistend demo: what listens is in the pool, as the kernel says.

While it runs there is on this machine:
  - a bridge with three network namespaces, and a real nginx in each
  - a HAProxy of its own on 127.0.0.1:${port}
  - the solistend daemon, with its eBPF programs in the kernel
  - a folder under /run with their files
Ctrl-C ends it and removes all of that.
`;
}

function summary({ answeredMs, leftMs, asked, failed }: StoryResult): string {
	return [
		`${answeredMs.length} times a server came; its first answer was ${answeredMs.join(", ")} ms after listen() (goal: 500)`,
		`1 was killed; it was out of the pool after ${leftMs} ms`,
		`a client asked ${asked} times meanwhile: ${failed} failed`,
	].join("\n");
}

function hints({ url, places }: Stage, { running }: StoryResult): string {
	const [place] = places;
	if (place === undefined) return "";
	return `
Now you, in another terminal:
  curl ${url}
  kill -9 ${running.get(place)?.pid}   # ${place.name}'s nginx
  ${place.startCommand} &
Ctrl-C here ends the demo.
`;
}
