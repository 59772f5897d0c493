/** One host: servers come and go in three namespaces, one is killed. What demo.ts shows unless told otherwise. */

import { SolistendError } from "../../src/errors.js";
import { freePort, isPortFree } from "../host/port.js";
import { createNarrator } from "./narrator.js";
import type { Show } from "./show.js";
import { openStage, type Stage } from "./stage.js";
import { playStory, type StoryResult } from "./story.js";

const DEFAULT_PORT = 8080;
const NAMES = ["blue", "green", "red"];

export interface PortWishes {
	readonly once: boolean;
	/** Of 127.0.0.1. */
	readonly port: number | undefined;
}

/** @throws SolistendError when the port is taken */
export async function oneHost(wishes: PortWishes): Promise<Show> {
	const port = await choosePort(wishes);
	return {
		introduction: introduction(port),
		async open(screen, signal) {
			const stage = await openStage({ port, names: NAMES, onLine: createNarrator(screen), signal });
			return {
				...stage,
				async play(options) {
					const result = await playStory({ stage, ...options });
					return { summary: summary(result), hints: hints(stage, result) };
				},
			};
		},
	};
}

/** The port that was asked for or is usual; one that is free where nobody is there to choose. */
async function choosePort({ once, port }: PortWishes): Promise<number> {
	const wanted = port ?? DEFAULT_PORT;
	if (await isPortFree(wanted)) return wanted;
	if (once && port === undefined) return freePort();
	throw new SolistendError(
		"proxy",
		`cannot use port ${wanted} of 127.0.0.1, somebody listens there (choose another: npm run demo -- --port 8081)`,
	);
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
