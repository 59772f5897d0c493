/**
 * What is known of an engine's containers: folds its list, events and inspects, in whatever order they come, and says
 * what changed and what is to be asked. Pure.
 *
 * A container is known from the moment of its `create` event, before it runs, and for some time after it ended: it may be
 * started again, and what does not change between its lives need not be asked for.
 */

import type { Container, ContainerChange } from "../container.js";
import type { Inspected, Listed } from "./answers.js";
import type { Attributes, EngineEvent } from "./event.js";

/** What a fold leads to. */
export interface Folded {
	readonly changes: readonly ContainerChange[];
	/** To be inspected: `once` unless that is under way, `anew` even then, `quietly` when there is time. */
	readonly inspect?: "once" | "anew";
	readonly quietly?: readonly string[];
	/** An answer that is on its way is of no use any more. */
	readonly forget?: readonly string[];
}

export interface Book {
	get(id: string): Container | undefined;
	running(): Iterable<Container>;
	/** Somebody asks for a container; who is unknown has a place from now on. @returns ids that lost theirs */
	lookedUp(id: string): string[];
	isRunning(id: string): boolean;
	event(event: EngineEvent): Folded;
	inspected(told: Inspected): Folded;
	/** A list is asked for: what events tell from now on is newer. */
	listing(): void;
	listed(list: Listed): Folded;
}

/** How many containers that do not run, or are not known, are remembered; who was not asked for longest goes first. */
export const MAX_IDLE = 1024;

interface Entry {
	container: Container | undefined;
	isRunning: boolean;
	/** Others were told of it, and not yet that it ended. */
	isTold: boolean;
	/** What an inspect told of this life of it: nothing so far, all but its ports before it started, or all. */
	inspected: "not" | "early" | "running";
	publishes: boolean;
	/** By the engine's clock, as an inspect told. */
	startedAtMs: number;
	/** It was started, as was told while an inspect was on its way. */
	isStartNews: boolean;
}

const NOTHING: Folded = { changes: [] };

/** @param known those that run, as they are known from elsewhere */
export function createBook(isAsking: (id: string) => boolean, known: Iterable<Container> = []): Book {
	const entries = new Map<string, Entry>();
	/** Those that do not run, in the order in which they were asked for. */
	const idle = new Set<string>();
	/** While a list is awaited: what events told since it was asked for, and it may not know. */
	let newer: { readonly started: Set<string>; readonly changed: Set<string> } | undefined;

	const entryOf = (id: string): Entry => {
		const known = entries.get(id);
		if (known !== undefined) return known;
		const entry: Entry = {
			container: undefined,
			isRunning: false,
			isTold: false,
			inspected: "not",
			publishes: false,
			startedAtMs: 0,
			isStartNews: false,
		};
		entries.set(id, entry);
		idle.add(id);
		return entry;
	};

	for (const container of known) {
		Object.assign(entryOf(container.id), { container, isRunning: true, isTold: true });
		idle.delete(container.id);
	}

	const remove = (id: string) => {
		entries.delete(id);
		idle.delete(id);
	};

	/** Those beyond the bound lose their place. */
	const trim = (): string[] => {
		const lost: string[] = [];
		for (const id of idle) {
			if (idle.size <= MAX_IDLE) break;
			remove(id);
			lost.push(id);
		}
		return lost;
	};

	/** What is new of a container replaces what was known; that it runs is news, too. One that ended is nobody's concern. */
	const tell = (entry: Entry, container: Container, isRunning: boolean): ContainerChange[] => {
		const { id } = container;
		const isStart = (isRunning && !entry.isRunning) || entry.container === undefined;
		const isNews = isStart || (entry.isTold && entry.container !== undefined && !isSame(entry.container, container));
		entry.container = container;
		entry.isTold ||= isNews;
		if (isRunning) {
			entry.isRunning = true;
			idle.delete(id);
		}
		return isNews ? [{ id, container, isMoved: false }] : [];
	};

	/** Its ports are given back; the rest stays as it is for its next life. */
	const ended = (id: string): ContainerChange[] => {
		const entry = entries.get(id);
		const over = [{ id, container: undefined, isMoved: false }];
		// it may have lost its place here, and is known to others all the same
		if (entry === undefined) return over;
		const wasTold = entry.isTold;
		entry.isTold = false;
		entry.isRunning = false;
		entry.inspected = "not";
		entry.isStartNews = false;
		idle.add(id);
		if (entry.container !== undefined) entry.container = { ...entry.container, published: [] };
		return wasTold ? over : [];
	};

	/** Whether an event is of a time before the container's last start: Podman tells late. */
	const isPast = (entry: Entry | undefined, { atMs }: EngineEvent) =>
		entry !== undefined && atMs > 0 && atMs < entry.startedAtMs;

	const started = (id: string, attributes: Attributes): Folded => {
		const entry = entryOf(id);
		const isKnown = entry.inspected === "running" || (entry.inspected === "early" && !entry.publishes);
		if (isAsking(id)) entry.isStartNews = true;
		newer?.started.add(id);
		newer?.changed.add(id);
		const changes = tell(entry, entry.container ?? fromAttributes(id, attributes), true);
		return isKnown ? { changes } : { changes, inspect: "once" };
	};

	return {
		get: (id) => entries.get(id)?.container,
		*running() {
			for (const { container, isRunning } of entries.values())
				if (isRunning && container !== undefined) yield container;
		},
		lookedUp(id) {
			if (entryOf(id).isRunning) return [];
			idle.delete(id);
			idle.add(id);
			return trim();
		},
		isRunning: (id) => entries.get(id)?.isRunning === true,
		event(event) {
			const { id, kind } = event;
			const entry = entries.get(id);
			switch (kind) {
				case "created": {
					if (entry?.container !== undefined) return NOTHING;
					newer?.started.add(id);
					const changes = tell(entryOf(id), fromAttributes(id, event.attributes), false);
					return { changes, inspect: "once", forget: trim() };
				}
				case "started":
					return started(id, event.attributes);
				case "ended": {
					if (isPast(entry, event)) return NOTHING;
					newer?.changed.add(id);
					return { changes: ended(id), forget: [id, ...trim()] };
				}
				case "removed": {
					newer?.changed.add(id);
					const changes = ended(id);
					remove(id);
					return { changes, forget: [id] };
				}
				case "renamed": {
					if (entry?.isTold === true || isAsking(id)) {
						newer?.changed.add(id);
						return { changes: [], inspect: "anew" };
					}
					// Its next start tells the new name.
					remove(id);
					return NOTHING;
				}
				case "moved": {
					// Before it starts it is connected to all its networks: nobody has looked at its addresses.
					if (entry?.isRunning !== true || entry.container === undefined || isPast(entry, event)) return NOTHING;
					newer?.changed.add(id);
					return { changes: [{ id, container: entry.container, isMoved: true }], inspect: "anew" };
				}
				default:
					return kind satisfies never;
			}
		},
		inspected({ container, isRunning, startedAtMs, publishes }) {
			const { id } = container;
			const entry = entryOf(id);
			// asked since the list was: a change that it has missed leads to another one, and the list may be older
			newer?.changed.add(id);
			const isStartNews = entry.isStartNews;
			entry.isStartNews = false;
			entry.inspected = isRunning ? "running" : "early";
			entry.publishes = publishes;
			entry.startedAtMs = startedAtMs;
			const changes = tell(entry, container, isRunning);
			// It was looked at before it had started: its ports are still to come.
			return isStartNews && !isRunning && publishes ? { changes, inspect: "anew" } : { changes };
		},
		listing() {
			newer = { started: new Set(), changed: new Set() };
			// It may have been started anew without an event.
			for (const entry of entries.values()) entry.inspected = "not";
		},
		listed({ containers, isWhole }) {
			const changes: ContainerChange[] = [];
			const quietly: string[] = [];
			const there = new Set(containers.map(({ id }) => id));
			const gone = [...entries].filter(
				([id, { isTold }]) => isTold && isWhole && !there.has(id) && newer?.started.has(id) !== true,
			);
			for (const [id] of gone) changes.push(...ended(id));
			for (const listed of containers) {
				const { id } = listed;
				if (newer?.changed.has(id) === true) continue;
				const entry = entryOf(id);
				if (isAsking(id)) entry.isStartNews = true;
				changes.push(...tell(entry, merged(entry.container, listed), true));
				// What no list tells is the same in each of its lives.
				if (entry.container?.env !== undefined) entry.inspected = "running";
				else quietly.push(id);
			}
			newer = undefined;
			return { changes, quietly, forget: [...gone.map(([id]) => id), ...trim()] };
		},
	};
}

/** A list tells no environment and no signal, and where an inspect has told the rest it knows better, save of ports. */
function merged(known: Container | undefined, listed: Container): Container {
	if (known?.env === undefined) return listed;
	const { name, published } = listed;
	return { ...known, name, published };
}

function fromAttributes(
	id: string,
	attributes: { name: string; image: string; labels: Container["labels"] },
): Container {
	return { id, ...attributes, env: undefined, exposed: [], published: [], stopSignal: undefined };
}

function isSame(a: Container, b: Container): boolean {
	return (
		a.name === b.name &&
		a.image === b.image &&
		a.stopSignal === b.stopSignal &&
		isSameMap(a.labels, b.labels) &&
		isSameMap(a.env, b.env) &&
		a.exposed.join() === b.exposed.join() &&
		portsOf(a) === portsOf(b)
	);
}

const portsOf = ({ published }: Container) =>
	published.map(({ port, hostAddress, hostPort }) => `${port} ${hostAddress} ${hostPort}`).join();

function isSameMap(a: Container["env"], b: Container["env"]): boolean {
	if (a === undefined || b === undefined) return a === b;
	if (a.size !== b.size) return false;
	for (const [key, value] of a) if (b.get(key) !== value) return false;
	return true;
}
