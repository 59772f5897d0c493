/**
 * The client of a container engine: follows its events, lists after every (re)connect, inspects each container once for
 * each start, and keeps what it was told while the engine is away. Knows Docker's Engine API, which Podman serves, too;
 * not what containers are asked about for.
 */

import { setTimeout as pause } from "node:timers/promises";
import type { Logger } from "pino";
import type { Container, ContainerChange, Engine } from "../container.js";
import { createRecent } from "../recent.js";
import { readInspected, readList } from "./answers.js";
import { type Attempt, createAsks } from "./asks.js";
import { createBook, type Folded } from "./book.js";
import { readEvent } from "./event.js";
import { askEngine } from "./request.js";
import { followEvents } from "./stream.js";

export interface EngineOptions {
	/** Path of the unix socket. */
	readonly socket: string;
	readonly log: Logger;
	/** What another engine told of those that run: taken for true until this one has listed its own. Default: nothing. */
	readonly known?: Iterable<Container>;
	/** Something about a container is not as it was, or is known only now. Not called within `lookup`. */
	onChange(changes: readonly ContainerChange[]): void;
}

/** An inspect of a container with many mounts and labels has some 10 KiB; a row of the list has one or two. */
const INSPECT = { timeoutMs: 5000, maxBytes: 4 * 1024 * 1024 };
const LIST = { timeoutMs: 30_000, maxBytes: 64 * 1024 * 1024 };

/** Pauses between attempts to connect: doubled from the first to the last, which then stays. */
const FIRST_PAUSE_MS = 100;
const LAST_PAUSE_MS = 10_000;

/** Starts to ask at once, in the background; an engine that is not there is waited for. */
export function openEngine({ socket, log, known = [], onChange }: EngineOptions): Engine {
	const closing = new AbortController();
	const { signal } = closing;
	const warned = createRecent<string, true>(1024);
	/** What it calls itself, once it has answered. */
	let kind = "Docker";
	let hasListed = () => {};
	const firstList = new Promise<void>((resolve) => {
		hasListed = resolve;
	});
	/** Why it can't be asked now. */
	let trouble: string | undefined;
	/** Whether the log's last word was that it is reached. */
	let isReached: boolean | undefined;

	const says = (why: string) => `${kind} at ${socket} ${why}`;

	const reached = (server: string) => {
		if (isReached === true) return;
		isReached = true;
		const [, version] = /^[^/ ]+\/(\S+)/.exec(server) ?? [];
		log.info({ socket, version, containers: [...book.running()].length }, `${kind} is asked for containers`);
	};
	const lost = (why: string) => {
		if (isReached === false) return;
		isReached = false;
		log.warn({ reason: says(why) }, "what is known of containers stays, and nothing new is learnt until it answers");
	};

	const attempt = async (id: string, isForgotten: AbortSignal): Promise<Attempt> => {
		const answer = await askEngine({ socket, path: `/containers/${id}/json`, signal: isForgotten, ...INSPECT });
		if (isForgotten.aborted) return { state: "done" };
		switch (answer.state) {
			case "ok": {
				const told = readInspected(answer.json, id);
				if (told === undefined) return nonsense(id, "answers what is no container");
				act(id, book.inspected(told));
				return { state: "done" };
			}
			case "nonsense":
				return nonsense(id, answer.why);
			case "absent":
				return { state: "again", soon: false, why: `does not know container ${short(id)}` };
			case "failed":
				return { state: "again", soon: true, why: answer.why };
			default:
				return answer satisfies never;
		}
	};
	const nonsense = (id: string, why: string): Attempt => {
		const full = `${why}, asked for container ${short(id)}`;
		if (warned.get(id) === undefined) {
			warned.set(id, true);
			log.warn({ reason: says(full) }, "a container is not known; it is asked for again, and this is not said again");
		}
		return { state: "again", soon: false, why: full };
	};

	const asks = createAsks({ attempt, isKept: (id) => book.isRunning(id) });
	const book = createBook(asks.isPending, known);

	/** Whoever is told may ask at once: what is to be asked and forgotten comes first. */
	const act = (id: string, { changes, inspect, quietly = [], forget = [] }: Folded) => {
		for (const unwanted of forget) asks.forget(unwanted);
		if (inspect === "once") asks.ask(id, "now");
		if (inspect === "anew") asks.refresh(id);
		for (const listed of quietly) asks.ask(listed, "background");
		if (changes.length > 0) onChange(changes);
	};

	const onLine = (line: string): boolean => {
		const event = readEvent(line);
		if (event === "unreadable") return false;
		if (event !== undefined) act(event.id, book.event(event));
		return true;
	};

	/** @returns why there is no list */
	const list = async (within: AbortSignal): Promise<string | undefined> => {
		book.listing();
		const answer = await askEngine({ socket, path: "/containers/json", signal: within, ...LIST });
		if (within.aborted) return "is not asked any more";
		if (answer.state === "absent") return "knows no list of containers";
		if (answer.state !== "ok") return answer.why;
		const listed = readList(answer.json);
		if (listed === undefined) return "answers what is no list of containers";
		act("", book.listed(listed));
		hasListed();
		return undefined;
	};

	/** As long as one stream of events lasts. @returns why it ended */
	const session = async (): Promise<string> => {
		const followed = await followEvents({ socket, signal }, onLine);
		if (followed.state === "failed") return followed.why;
		const { server, ended } = followed.stream;
		kind = /^libpod\//i.test(server) ? "Podman" : "Docker";
		trouble = undefined;
		asks.open();
		const over = new AbortController();
		const why = ended.finally(() => over.abort());
		for (let failures = 1; ; failures += 1) {
			const missing = await list(over.signal);
			if (missing === undefined) reached(server);
			else if (!over.signal.aborted) lost(missing);
			if (missing === undefined || !(await rest(failures, over.signal))) break;
		}
		return why;
	};

	const follow = async () => {
		let failures = 0;
		while (!signal.aborted) {
			const startedAt = performance.now();
			const why = await session();
			asks.shut();
			if (signal.aborted) return;
			trouble = why;
			lost(why);
			failures = performance.now() - startedAt > LAST_PAUSE_MS ? 1 : failures + 1;
			await rest(failures, signal);
		}
	};
	const following = follow();

	return {
		lookup(id) {
			for (const lost of book.lookedUp(id)) asks.forget(lost);
			const container = book.get(id);
			if (container !== undefined) return { state: "known", container };
			asks.want(id);
			const why = trouble ?? asks.whyNot(id) ?? `has not answered yet what container ${short(id)} is`;
			return { state: "waiting", why: says(why) };
		},
		containers: () => book.running(),
		async listed(timeoutMs) {
			const over = new AbortController();
			await Promise.race([
				firstList,
				pause(timeoutMs, undefined, { signal: AbortSignal.any([signal, over.signal]) }),
			]).catch(() => {});
			over.abort();
		},
		async close() {
			closing.abort();
			asks.close();
			await following;
		},
	};
}

const short = (id: string) => id.slice(0, 12);

/** Pauses after so many failures in a row. @returns false when the signal was aborted */
async function rest(failures: number, signal: AbortSignal): Promise<boolean> {
	const ms = Math.min(LAST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(failures - 1, 10));
	return pause(ms, true, { signal }).catch(() => false);
}
