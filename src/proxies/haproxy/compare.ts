/**
 * Holds what the kernel says of servers against what HAProxy says of them: how much later its checks saw the same, what
 * they never saw, and what they alone say. Knows no clock, no socket and no log: times are given, lines are returned.
 */

import type { Compared } from "../driver.js";
import { createDelays } from "./delays.js";
import { createOneSided, type KnownBackend, type OneSidedLine, type SeenServer } from "./one-sided.js";

/** Out of a pool, or into it. */
export type Change = "up" | "down";

/** What the kernel said of one backend; times in milliseconds. */
export interface KernelChange {
	readonly id: string;
	readonly listens: boolean;
	readonly atMs: number;
}

export type ComparedLine =
	/** HAProxy came to the same, by itself. */
	| { readonly kind: "seen"; readonly server: string; readonly change: Change; readonly atMs: number; afterMs: number }
	/** It did not within {@link PATIENCE_MS}. */
	| { readonly kind: "waiting"; readonly server: string; readonly change: Change; readonly atMs: number }
	/** The kernel said the opposite before HAProxy had noticed. */
	| {
			readonly kind: "unnoticed";
			readonly server: string;
			readonly change: Change;
			readonly atMs: number;
			forMs: number;
	  }
	/** HAProxy changed its mind although the kernel did not. */
	| {
			readonly kind: "alone";
			readonly server: string;
			readonly change: Change;
			readonly inMaintenance: boolean;
			readonly listens: boolean;
	  }
	| OneSidedLine;

export interface Comparator {
	/** Takes in what the kernel said, at once. */
	changed(change: KernelChange): ComparedLine[];
	/**
	 * Takes in what HAProxy has now.
	 *
	 * @param worker another one than before has forgotten what its checks found: nothing follows from the difference
	 * @param backends all that solistend has; undefined while that is not known
	 */
	looked(
		worker: string,
		servers: readonly SeenServer[],
		backends: readonly KnownBackend[] | undefined,
		nowMs: number,
	): ComparedLine[];
	/** HAProxy could not be asked: what it said before does not count. */
	forget(): void;
	/** Whether the next look should come soon. */
	isOpen(): boolean;
	readonly summary: Compared;
}

/** How long a difference is looked at closely. */
export const PATIENCE_MS = 60_000;

/** What the kernel said of a server since the last look at which HAProxy said the same; up and down by turns. */
interface Open {
	readonly changes: readonly { readonly change: Change; readonly atMs: number }[];
	/** Whether it was told that it takes long. */
	readonly isTold: boolean;
}

const changeOf = (up: boolean): Change => (up ? "up" : "down");

export function createComparator(): Comparator {
	let worker: string | undefined;
	let servers = new Map<string, SeenServer>();
	let byAddress = new Map<string, string[]>();
	/** By a backend's id. */
	let listens = new Map<string, boolean>();
	/** By server. */
	const open = new Map<string, Open>();
	/** What HAProxy says since the last look; the kernel's word may still be on its way. */
	let fresh = new Map<string, number>();
	const oneSided = createOneSided();
	const delays = { up: createDelays(), down: createDelays() };
	let unnoticed = 0;
	let byChecksAlone = 0;

	const seen = (server: string, change: Change, atMs: number, nowMs: number): ComparedLine => {
		const afterMs = Math.max(0, nowMs - atMs);
		delays[change].add(afterMs);
		return { kind: "seen", server, change, atMs, afterMs };
	};

	/** What came at the last look, and what no word of the kernel's has followed. */
	const aloneLines = (): ComparedLine[] =>
		[...fresh.keys()].flatMap((name): ComparedLine[] => {
			const server = servers.get(name);
			const isListening = server && listens.get(server.address);
			// Of what solistend does not know it says nothing; that both say down is no difference.
			if (server === undefined || isListening === undefined || !(isListening || server.up)) return [];
			byChecksAlone += 1;
			const { inMaintenance, up } = server;
			return [{ kind: "alone", server: name, change: changeOf(up), inMaintenance, listens: isListening }];
		});

	const openLines = (server: string, { up }: SeenServer, nowMs: number): ComparedLine[] => {
		const { changes, isTold } = open.get(server) ?? { changes: [], isTold: false };
		const lines: ComparedLine[] = [];
		let rest = changes;
		const isBehind = () => rest.at(-1)?.change !== changeOf(up);
		for (let [there, back] = rest; there && back; [there, back] = rest) {
			rest = rest.slice(1);
			if (rest.length === 1 && isBehind()) {
				lines.push(seen(server, there.change, there.atMs, nowMs));
				break;
			}
			rest = rest.slice(1);
			unnoticed += 1;
			lines.push({ kind: "unnoticed", server, ...there, forMs: Math.max(0, back.atMs - there.atMs) });
		}
		const [last] = rest;
		if (last === undefined || !isBehind()) {
			open.delete(server);
			return last === undefined ? lines : [...lines, seen(server, last.change, last.atMs, nowMs)];
		}
		const isLate = nowMs - last.atMs >= PATIENCE_MS;
		open.set(server, { changes: rest, isTold: isLate });
		return isLate && !isTold ? [...lines, { kind: "waiting", server, ...last }] : lines;
	};

	return {
		changed({ id, listens: isListening, atMs }) {
			const before = listens.get(id) ?? false;
			listens.set(id, isListening);
			if (before === isListening) return [];
			const change = changeOf(isListening);
			return (byAddress.get(id) ?? []).flatMap((name): ComparedLine[] => {
				const server = servers.get(name);
				const waiting = open.get(name);
				const freshMs = fresh.get(name);
				if (server === undefined || !server.checked) return [];
				if (waiting !== undefined || server.up !== isListening) {
					open.set(name, { changes: [...(waiting?.changes ?? []), { change, atMs }], isTold: false });
					return [];
				}
				if (freshMs === undefined) return [];
				fresh.delete(name);
				return [seen(name, change, atMs, freshMs)];
			});
		},
		looked(nowWorker, all, backends, nowMs) {
			const isSameWorker = worker === nowWorker;
			if (!isSameWorker) {
				open.clear();
				fresh.clear();
			}
			const lines = aloneLines();
			fresh = new Map();
			const before = servers;
			worker = nowWorker;
			servers = new Map(all.map((server) => [server.name, server]));
			byAddress = groupByAddress(all);
			for (const name of open.keys()) {
				if (servers.get(name)?.address !== before.get(name)?.address) open.delete(name);
			}
			for (const server of all) {
				const had = before.get(server.name);
				const wasOpen = open.has(server.name);
				lines.push(...openLines(server.name, server, nowMs));
				if (!isSameWorker || wasOpen || had === undefined || had.address !== server.address) continue;
				if (had.up !== server.up) fresh.set(server.name, nowMs);
			}
			if (backends === undefined) return lines;
			listens = listening(listens, backends, byAddress);
			return [...lines, ...oneSided.looked(all, backends, (name) => open.has(name) || fresh.has(name))];
		},
		forget() {
			worker = undefined;
			open.clear();
			fresh.clear();
		},
		isOpen: () => fresh.size > 0 || [...open.values()].some(({ isTold }) => !isTold),
		get summary() {
			return { up: delays.up.summary(), down: delays.down.summary(), unnoticed, byChecksAlone, ...oneSided.told };
		},
	};
}

/** What solistend has, and of what it had, whatever HAProxy has still. */
function listening(
	before: ReadonlyMap<string, boolean>,
	backends: readonly KnownBackend[],
	byAddress: ReadonlyMap<string, unknown>,
): Map<string, boolean> {
	const now = new Map<string, boolean>();
	for (const id of before.keys()) if (byAddress.has(id)) now.set(id, false);
	for (const { id, listens } of backends) now.set(id, listens || now.get(id) === true);
	return now;
}

function groupByAddress(servers: readonly SeenServer[]): Map<string, string[]> {
	const groups = new Map<string, string[]>();
	for (const { address, name } of servers) {
		const group = groups.get(address);
		if (group === undefined) groups.set(address, [name]);
		else group.push(name);
	}
	return groups;
}
