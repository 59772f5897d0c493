/**
 * `npm run demo`: plays a story on real parts and shows it as it happens; then goes on showing until Ctrl-C.
 * `npm run demo -- --once`: plays it, checks it, and exits with 0 or 1. Owns the order of things and the signals.
 */

import { once } from "node:events";
import { parseArgs } from "node:util";
import { messageOf } from "../../src/errors.js";
import { freePort, isPortFree } from "../host/port.js";
import { requirePrivileges, skipPrivileged } from "../host/privileges.js";
import type { WebServer } from "../host/web-server.js";
import { narrate } from "./narrator.js";
import { openScreen, type Screen } from "./screen.js";
import { openStage, type Place, type Stage } from "./stage.js";
import { playStory, type StoryResult } from "./story.js";

const USAGE = `usage: npm run demo -- [--once] [--port PORT]

  --once       play the story once, check it, exit 0 or 1
  --port PORT  where HAProxy listens on 127.0.0.1 (default 8080)`;

const DEFAULT_PORT = 8080;
const NAMES = ["blue", "green", "red"];

/** Ended by a signal: no trouble, unless somebody waits for a result. */
class Interrupted extends Error {}

interface Wishes {
	readonly once: boolean;
	readonly port: number | undefined;
}

process.exitCode = await main();

async function main(): Promise<number> {
	const wishes = readWishes();
	if (typeof wishes === "number") return wishes;
	if (wishes.once && skipPrivileged) {
		console.log("demo: skipped, since SOLISTEND_SKIP_PRIVILEGED=1");
		return 0;
	}
	// `su` without `-` leaves out where ip, nginx and haproxy are.
	process.env["PATH"] = `${process.env["PATH"]}:/usr/sbin:/sbin`;

	const screen = openScreen();
	const interrupted = listenForSignals(screen);
	let stage: Stage | undefined;
	try {
		requirePrivileges();
		const port = await choosePort(wishes);
		screen.note(introduction(port));
		stage = await openStage({
			port,
			names: NAMES,
			onLine: (line) => narrate(screen, line),
			signal: interrupted,
		});
		for (const line of stage.made) screen.note(`  made: ${line}`);
		const signal = AbortSignal.any([interrupted, stage.failed]);
		screen.note("");
		screen.begin();
		const result = await playStory({ stage, screen, pauseMs: wishes.once ? 600 : 1500, signal });
		screen.note(`\n${summary(result)}`);
		if (wishes.once) return await end(screen, stage);

		screen.note(hints(stage, result.running));
		if (!signal.aborted) await once(signal, "abort");
		throw signal.reason;
	} catch (error) {
		const isWanted = error instanceof Interrupted || interrupted.aborted;
		if (!isWanted) screen.trouble(`\ndemo: ${messageOf(error)}`);
		const code = stage === undefined ? 0 : await end(screen, stage);
		return isWanted && !wishes.once ? code : 1;
	}
}
