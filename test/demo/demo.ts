/**
 * `npm run demo`: plays a story on real parts and shows it as it happens; then goes on showing until Ctrl-C.
 * `npm run demo -- --once`: plays it, checks it, and exits with 0 or 1. Owns the order of things and the signals.
 */

import { once } from "node:events";
import { parseArgs } from "node:util";
import { messageOf } from "../../src/errors.js";
import { requirePrivileges, skipPrivileged } from "../host/privileges.js";
import { fleet } from "./fleet/show.js";
import { oneHost } from "./one-host.js";
import { openScreen, type Screen } from "./screen.js";
import type { OpenShow } from "./show.js";

const USAGE = `usage: npm run demo -- [--once] [--port PORT | --fleet]

  --once       play the story once, check it, exit 0 or 1
  --port PORT  where HAProxy listens on 127.0.0.1 (default 8080)
  --fleet      two hosts, an edge and a Redis between them instead of one host`;

interface Wishes {
	readonly once: boolean;
	readonly port: number | undefined;
	readonly fleet: boolean;
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

/** Makes what is needed, plays, and removes it again, whatever happens in between. The exit code. */
async function show(wishes: Wishes, screen: Screen, interrupted: AbortSignal): Promise<number> {
	const { introduction, open } = wishes.fleet ? fleet() : await oneHost(wishes);
	screen.note(introduction);
	const shown = await open(screen, interrupted);
	const code = await perform(shown, wishes, screen, AbortSignal.any([interrupted, shown.failed])).catch((error) =>
		report(error, wishes, screen, interrupted),
	);
	screen.end();
	screen.note("removing what was made …");
	await shown.close();
	const left = await shown.leftovers();
	if (left.length === 0) screen.note("removed: namespaces, bridge, processes, folder; nothing is left");
	else screen.trouble(`still there:\n${left.map((line) => `  ${line}`).join("\n")}`);
	return left.length === 0 ? code : 1;
}

async function perform(
	shown: OpenShow,
	{ once: isOnce }: Wishes,
	screen: Screen,
	signal: AbortSignal,
): Promise<number> {
	for (const line of shown.made) screen.note(`  made: ${line}`);
	screen.note("");
	screen.begin();
	const { summary, hints } = await shown.play({ screen, pauseMs: isOnce ? 600 : 1500, signal });
	screen.note(`\n${summary}`);
	if (isOnce) return 0;
	screen.note(hints);
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
		const { values } = parseArgs({
			options: { once: { type: "boolean" }, port: { type: "string" }, fleet: { type: "boolean" } },
		});
		if (values.fleet === true && values.port !== undefined) return undefined;
		const port = values.port === undefined ? undefined : Number(values.port);
		if (port !== undefined && !(Number.isInteger(port) && port >= 1 && port <= 65_535)) return undefined;
		return { once: values.once ?? false, port, fleet: values.fleet ?? false };
	} catch {
		return undefined;
	}
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
