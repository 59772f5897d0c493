/** What the fleet plays: servers come on two hosts, a host dies and is back, Redis dies and is back, a host is drained. */

import { setTimeout as pause } from "node:timers/promises";
import { type Client, startClient } from "../../host/client.js";
import { eventually } from "../../host/eventually.js";
import type { PlayOptions } from "../show.js";
import { all, change, firstAnswer, lookWho, nameOfAnswer } from "../steps.js";
import { LEASE_MS } from "./configuration.js";
import type { FleetHost, FleetStage, Seen } from "./stage.js";

/** What was seen. */
export interface FleetResult {
	/** From the host's daemon being told that it listens to the first answer through the edge, each time a server came. */
	readonly answeredMs: readonly number[];
	/** From the death of a host to its backends being out of the edge's pool. */
	readonly leftMs: number;
	/** What a client of the edge saw meanwhile. */
	readonly asked: number;
	/** Requests that the host had taken when it died: one at most, since the client asks one after the other. */
	readonly takenAlong: number;
}

/**
 * Plays the story once.
 *
 * @throws Error at the first step that does not come true within 10 s, when a request failed, or the reason of `signal`
 */
export async function playFleetStory(stage: FleetStage, options: PlayOptions): Promise<FleetResult> {
	const { screen, pauseMs, signal } = options;
	const { url, edge, redis } = stage;
	const [a, b] = stage.hosts;
	const answeredMs: number[] = [];
	let client: Client | undefined;
	const breathe = (ms = pauseMs) => pause(ms, undefined, { signal });
	const look = (...names: string[]) => lookWho(url, screen, names);

	const bring = async (host: FleetHost, app: string, port: number) => {
		screen.line(`host ${host.name}`, `nginx ${app} starts on port ${port}`);
		const from = host.daemon?.lines.length ?? 0;
		const [, answeredAtMs, line] = await all(
			host.startApp(app, port),
			firstAnswer(url, app, signal),
			host.daemon?.waitFor(({ msg, port: its }) => msg === "listening" && its === port, { from, signal }) ??
				Promise.reject(new Error(`host ${host.name} has no daemon`)),
			change(edge, "joined", host.backend(port), signal),
		);
		const ms = Math.max(0, answeredAtMs - Date.parse(line.time));
		answeredMs.push(ms);
		screen.line("curl", `${url} → 200 hello from ${app}, ${ms} ms after host ${host.name} saw it listen`);
	};
	const show = async (host: FleetHost | undefined, ...words: string[]) => {
		screen.line(host === undefined ? "edge" : `host ${host.name}`, `solistend ${words.join(" ")}`);
		for (const line of await stage.command(host, ...words)) screen.note(`             ${line}`);
	};
	const sees = (what: string, isSo: (seen: Seen) => boolean) =>
		eventually(`the edge sees ${what}`, async () => isSo(await stage.seen()), { signal });

	try {
		await bring(a, "a1", 8001);
		client = startClient(url);
		await breathe();
		await bring(b, "b1", 8001);
		await breathe();
		await look("a1", "b1");
		await show(undefined, "status", "--fleet");
		await breathe();

		screen.line("host a", `dies: kill -9 of its daemon (${a.daemon?.pid}) and its nginx (${a.apps[0]?.pid})`);
		const diedAtMs = Date.now();
		const out = change(edge, "left", a.backend(8001), signal);
		const takenAlong = await failedWhile(client, a.kill, signal);
		await out;
		const leftMs = Date.now() - diedAtMs;
		await look("b1");
		await breathe();
		screen.line("host a", "is back");
		await a.start();
		await bring(a, "a1", 8001);
		await breathe();

		screen.line("redis", `kill -9 ${redis.pid}`);
		const from = edge.lines.length;
		const fromB = b.daemon?.lines.length ?? 0;
		await redis.kill();
		await sees("that Redis is gone", ({ registry }) => registry.state === "frozen");
		screen.line("host a", "nginx a2 starts on port 8002; nobody can be told");
		await a.startApp("a2", 8002);
		await breathe(2 * LEASE_MS);
		screen.line("redis", `is away for longer than a lease: the pools stay`);
		await look("a1", "b1");
		screen.line("redis", "is back, and empty: the hosts tell again");
		// each host finds it again on its own: b is to be drained next, and has to be able to tell
		await all(
			redis.start(),
			change(edge, "joined", a.backend(8002), signal),
			firstAnswer(url, "a2", signal),
			b.daemon?.waitFor(({ msg }) => msg.startsWith("the registry of the fleet is up"), { from: fromB, signal }) ??
				Promise.reject(new Error("host b has no daemon")),
		);
		await look("a1", "a2", "b1");
		const left = edge.lines
			.slice(from)
			.flatMap(({ msg, left }) => (msg === "applied" && Array.isArray(left) ? left : []));
		if (left.length > 0) throw new Error(`Redis was away, and ${left.join(", ")} left the pool`);
		await breathe();

		await show(b, "drain-host");
		await eventually("nobody but host a gets new requests", () => areOf(url, ["a1", "a2"]), { signal });
		await look("a1", "a2");
		await sees("no host b", ({ hosts }) => hosts.every(({ host }) => host !== "b"));
		screen.line("edge", "host b said goodbye, and can be stopped");
		await show(undefined, "status", "--fleet");
		await client.close();
		const { asked, failed } = client;
		if (failed > takenAlong) throw new Error(`${failed - takenAlong} of ${asked} requests failed`);
		return { answeredMs, leftMs, asked, takenAlong };
	} finally {
		await client?.close();
	}
}

/** How many requests failed that were under way. */
async function failedWhile(client: Client, kill: () => Promise<void>, signal: AbortSignal): Promise<number> {
	const { asked, failed } = client;
	await kill();
	// the one that was under way is over by the second one
	await eventually("the client goes on", async () => client.asked >= asked + 2, { everyMs: 2, signal });
	return Math.min(1, client.failed - failed);
}

/** Whether a round of answers comes from these alone. */
async function areOf(url: string, names: readonly string[]): Promise<boolean> {
	for (let asked = 0; asked < 3 * names.length; asked++) {
		if (!names.includes(await nameOfAnswer(url))) return false;
	}
	return true;
}
