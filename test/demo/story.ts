/** What the demo plays: servers come, one is killed, it comes back. Each step is checked. */

import { setTimeout as pause } from "node:timers/promises";
import { type Client, startClient } from "../host/client.js";
import type { WebServer } from "../host/web-server.js";
import { kernelTimeMs, tookMs } from "./events.js";
import type { Screen } from "./screen.js";
import type { Place, Stage } from "./stage.js";
import { all, change, firstAnswer, lookWho } from "./steps.js";

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

	const look = () =>
		lookWho(
			url,
			screen,
			[...running.keys()].map(({ name }) => name),
		);

	try {
		for (const place of places) {
			await bring(place);
			client ??= startClient(url);
			await breathe();
		}
		await look();
		await breathe();

		const [victim, server] = [...running].at(-1) ?? [];
		if (victim === undefined || server === undefined) throw new Error("there is no server to kill");
		screen.line(victim.name, `kill -9 ${server.pid}`);
		const [, left] = await all(server.stop("SIGKILL"), change(daemon, "left", victim.backend, signal));
		running.delete(victim);
		await look();
		await breathe();

		await bring(victim);
		await breathe();
		await look();
		await client?.close();
		const { asked = 0, failed = 0 } = client ?? {};
		return { answeredMs, leftMs: tookMs(left), asked, failed, running };
	} finally {
		await client?.close();
	}
}
