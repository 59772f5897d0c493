/** What the demo plays: servers come, one is killed, it comes back. Each step is checked. */

import { setTimeout as pause } from "node:timers/promises";
import { type Client, startClient } from "../host/client.js";
import type { Daemon } from "../host/daemon.js";
import { eventually } from "../host/eventually.js";
import { ask } from "../host/http.js";
import type { WebServer } from "../host/web-server.js";
import { type Applied, appliedWith, kernelTimeMs, tookMs } from "./events.js";
import type { Screen } from "./screen.js";
import type { Place, Stage } from "./stage.js";

/** What was seen. */
export interface StoryResult {
	/** From `listen()` in the kernel to the first answer through HAProxy, each time a server came. */
	readonly answeredMs: readonly number[];
	/** From the kernel's close to out of HAProxy, of the server that was killed. */
	readonly leftMs: number;
	/** What a client saw meanwhile. */
	readonly asked: number;
	readonly failed: number;
	/** What runs at the end. */
	readonly running: ReadonlyMap<Place, WebServer>;
}

export interface StoryOptions {
	readonly stage: Stage;
	readonly screen: Screen;
	/** Between two steps, for those who read along. */
	readonly pauseMs: number;
	readonly signal: AbortSignal;
}

/** How often to ask when looking who answers; the client takes turns, too, so that more can be needed. */
const ROUND = 6;
const MAX_ROUND = 60;

/**
 * Plays the story once.
 *
 * @throws Error at the first step that does not come true within 10 s, or the reason of `signal`
 */
export async function playStory({ stage, screen, pauseMs, signal }: StoryOptions): Promise<StoryResult> {
	const { url, places, daemon } = stage;
	const running = new Map<Place, WebServer>();
	const answeredMs: number[] = [];
	let client: Client | undefined;
	const breathe = () => pause(pauseMs, undefined, { signal });

	const bring = async (place: Place) => {
		screen.line(place.name, "nginx starts");
		const [server, answeredAtMs, applied] = await all(
			place.startServer(),
			firstAnswer(url, place.name, signal),
			change(daemon, "joined", place.backend, signal),
		);
		running.set(place, server);
		const ms = Math.max(0, answeredAtMs - kernelTimeMs(applied));
		answeredMs.push(ms);
		screen.line("curl", `${url} → 200 hello from ${place.name}, ${ms} ms after listen()`);
	};

	const lookWho = async () => {
		const expected = [...running.keys()].map(({ name }) => name);
		const names: string[] = [];
		const isSeen = () => expected.every((name) => names.includes(name));
		while (names.length < ROUND || (!isSeen() && names.length < MAX_ROUND)) names.push(await nameOfAnswer(url));
		screen.line("curl", `${names.length} times: ${names.join(" ")}`);
		if (isSeen() && names.every((name) => expected.includes(name))) return;
		throw new Error(`answers did not come from all of ${expected.join(", ")}, and from nobody else`);
	};

	try {
		for (const place of places) {
			await bring(place);
			client ??= startClient(url);
			await breathe();
		}
		await lookWho();
		await breathe();

		const [victim, server] = [...running].at(-1) ?? [];
		if (victim === undefined || server === undefined) throw new Error("there is no server to kill");
		screen.line(victim.name, `kill -9 ${server.pid}`);
		const [, left] = await all(server.stop("SIGKILL"), change(daemon, "left", victim.backend, signal));
		running.delete(victim);
		await lookWho();
		await breathe();

		await bring(victim);
		await breathe();
		await lookWho();
		await client?.close();
		const { asked = 0, failed = 0 } = client ?? {};
		return { answeredMs, leftMs: tookMs(left), asked, failed, running };
	} finally {
		await client?.close();
	}
}

/** The change of the proxy that brings or takes a backend, from now on. */
async function change(daemon: Daemon, list: "joined" | "left", backend: string, signal: AbortSignal): Promise<Applied> {
	const from = daemon.lines.length;
	const line = await daemon.waitFor((line) => appliedWith(line, list, backend) !== undefined, { from, signal });
	const applied = appliedWith(line, list, backend);
	if (applied === undefined) throw new Error(`${backend} neither joined nor left`);
	return applied;
}

/** When a server of this name first answered, in milliseconds since the epoch. */
function firstAnswer(url: string, name: string, signal: AbortSignal): Promise<number> {
	return eventually(
		`${url} answers from ${name}`,
		async () => {
			const { status, body } = await ask(url);
			return status === 200 && body === `hello from ${name}\n` && Date.now();
		},
		{ everyMs: 2, signal },
	);
}

/** Who answers: the name in its answer, or the status when that is not 200. */
async function nameOfAnswer(url: string): Promise<string> {
	const { status, body } = await ask(url);
	return status === 200 ? body.replace("hello from ", "").trim() : String(status);
}

/** Like Promise.all, but never before the last has settled: nothing goes on behind the back of who cleans up. */
async function all<T extends readonly Promise<unknown>[]>(...promises: T) {
	await Promise.allSettled(promises);
	return Promise.all(promises);
}
