/**
 * The table of listening sockets: folds events and reads of the kernel's table, in any order and with any loss, into
 * what the kernel says now. Keyed by socket; endpoints are derived. Pure: time comes with what it is given.
 *
 * The rules, each socket apart:
 * - the newest kernel timestamp wins;
 * - CLOSE removes; after it only a newer LISTEN, or a read begun at least 1 s later, revives;
 * - absence from a complete read removes only when two reads in a row agree, both begun after the socket's own time;
 * - a LISTEN that is told after a read that began later did not have it counts for nothing, until a read has it;
 * - a stop signal marks the sockets that its process opened before it, or that were opened in the pid namespace whose
 *   first process gets it; only a newer LISTEN, or the end of the socket, takes the mark away;
 * - a pause marks the sockets that its process opened, or the processes of its cgroup; the newest kernel time wins, of
 *   events and of reads, which tell it, too; a newer LISTEN, or the end of the socket, takes the mark away;
 * - a second `listen()` changes the backlog and nothing else: the socket listens since the first one, and whoever was told
 *   to stop is.
 */

import {
	atNsOf,
	type KernelEvent,
	type Listener,
	type PausedBy,
	type PauseEvent,
	type Read,
	type SocketEvent,
	type StopEvent,
} from "./event.js";
import { type Hung, hungAll } from "./hung.js";
import { type EndpointKey, endpointKey, type NetnsKey, type SocketId } from "./ids.js";
import {
	afterEvent,
	afterRead,
	isAbout,
	type Paused,
	type Pauses,
	pausedAll,
	pausedOf,
	pausesSince,
} from "./pauses.js";
import { afterStop, concerns, type Stops, toldSince, toldToAll } from "./stops.js";
import { createTombstones } from "./tombstones.js";

/** A read begun less than this after a CLOSE does not revive: the row may be the one that is just going. */
const REVIVE_AFTER_NS = 1e9;

/** One place to connect to, with the sockets that serve it (SO_REUSEPORT, prefork, MPTCP twins, restarts). */
export interface Endpoint {
	readonly key: EndpointKey;
	readonly netns: NetnsKey;
	readonly address: string;
	readonly port: number;
	/** The one that listens longest first. */
	readonly sockets: readonly [Listener, ...Listener[]];
	/**
	 * The stop signals, by number, that every one of its sockets was told, and when the last of them was, in boot-time
	 * nanoseconds. Absent when there is none.
	 */
	readonly stopping?: Stops;
	/** Set while the processes of all its sockets are kept from running: since the last of them is. */
	readonly paused?: Paused;
	/** Set while none of its sockets accepts, though connections wait at all of them: since the last of them does. */
	readonly hung?: Hung;
}

/** An endpoint that came, changed or went. */
export type EndpointChange =
	| {
			readonly kind: "up";
			readonly endpoint: Endpoint;
			readonly isNew: boolean;
			/** Set on one that is not new, and of which for a moment no socket listened. */
			readonly wasClosed?: true;
	  }
	| { readonly kind: "down"; readonly endpoint: Endpoint };

/** What a read changed. */
export interface Merged {
	readonly changes: readonly EndpointChange[];
	/** True when a read soon after this one may change more: an absence to be confirmed, a port not yet chosen. */
	readonly again: boolean;
}

export interface ListenerTable {
	/** Applies changes in the kernel's order. Changes that cancel each other within one call are not reported. */
	fold(events: readonly KernelEvent[]): Merged;
	merge(read: Read): Merged;
	/** Takes in which sockets are hung now; the others are not. */
	mark(hung: ReadonlyMap<SocketId, Hung>): Merged;
	/** Every endpoint that listens now; the same values again, as far as nothing about them changed. */
	endpoints(): Endpoint[];
	/** Every socket that listens now, those without a port included. */
	sockets(): Listener[];
}

interface Entry {
	/** What else a read found of its process is kept apart. */
	readonly listener: Omit<Listener, "paused">;
	/** When its backlog was told by an event, in boot-time nanoseconds: reads that began before know an older one. */
	readonly backlogNs: number;
	/** Whether the last read that could have had it did not. */
	readonly missed: boolean;
	/** The stop signals it was told since it listens. */
	readonly stops: Stops | undefined;
	/** What was said since it listens of its process being kept from running. */
	readonly pauses: Pauses | undefined;
	readonly hung: Hung | undefined;
}

interface Sight {
	readonly beganNs: number;
	readonly rows: Read["rows"];
	readonly found: ReadonlyMap<SocketId, PausedBy | undefined>;
}

/** An empty table. */
export function createTable(): ListenerTable {
	const entries = new Map<SocketId, Entry>();
	const tombstones = createTombstones();
	/** When the last complete read began. */
	let readNs = Number.NEGATIVE_INFINITY;
	/** The last read, with what it found of each socket: newer than any event before. */
	let sight: Sight = { beganNs: 0, rows: [], found: new Map() };
	let isAnyHung = false;
	const byEndpoint = new Map<EndpointKey, Map<SocketId, Listener>>();
	const derived = new Map<EndpointKey, Endpoint>();
	/** Endpoints touched since the last report, as they were then. */
	let before = new Map<EndpointKey, Endpoint | undefined>();
	/** Those of them that lost their last socket since. */
	let emptied = new Set<EndpointKey>();

	const keyOf = (listener: Listener) => endpointKey(listener.netns, listener.address, listener.port);

	const derive = (key: EndpointKey): Endpoint | undefined => {
		const there = byEndpoint.get(key);
		const sockets = there === undefined ? [] : [...there.values()];
		if (!isSome(sockets)) return undefined;
		if (sockets.length > 1) sockets.sort((a, b) => a.atNs - b.atNs);
		const [{ netns, address, port }] = sockets;
		const all = sockets.map(({ socket }) => entries.get(socket));
		const stopping = toldToAll(all.map((entry) => entry?.stops));
		const paused = pausedAll(all.map((entry) => entry?.pauses));
		const hung = hungAll(all.map((entry) => entry?.hung));
		return {
			key,
			netns,
			address,
			port,
			sockets,
			...(stopping !== undefined && { stopping }),
			...(paused !== undefined && { paused }),
			...(hung !== undefined && { hung }),
		};
	};

	/** The same value again as long as nothing about it changes. */
	const endpoint = (key: EndpointKey): Endpoint | undefined => {
		const known = derived.get(key) ?? derive(key);
		if (known !== undefined) derived.set(key, known);
		return known;
	};

	/** To be called before anything about it changes. */
	const touch = (key: EndpointKey) => {
		if (!before.has(key)) before.set(key, endpoint(key));
		derived.delete(key);
	};

	const unlink = (listener: Listener) => {
		const key = keyOf(listener);
		const sockets = byEndpoint.get(key);
		if (sockets === undefined) return;
		touch(key);
		sockets.delete(listener.socket);
		if (sockets.size === 0) byEndpoint.delete(key);
	};

	const link = (listener: Listener) => {
		// A listen() without bind() has no port yet; the next read brings it.
		if (listener.port === 0) return;
		const key = keyOf(listener);
		touch(key);
		const sockets = byEndpoint.get(key) ?? new Map<SocketId, Listener>();
		sockets.set(listener.socket, listener);
		byEndpoint.set(key, sockets);
	};

	/**
	 * @param backlogNs when the backlog was told, where an event did
	 * @param missed whether the last read's word on it stands
	 */
	const setUp = (listener: Listener, backlogNs = listener.atNs, missed = false) => {
		const entry = entries.get(listener.socket);
		if (entry !== undefined && sameListener(entry.listener, listener)) {
			// A read finds mostly what is known: that stays.
			if (entry.missed) entries.set(listener.socket, { ...entry, missed: false });
			return;
		}
		if (entry !== undefined) unlink(entry.listener);
		const plain = withoutPause(listener);
		link(plain);
		tombstones.revive(listener.socket);
		entries.set(listener.socket, {
			listener: plain,
			backlogNs,
			missed,
			stops: toldSince(listener.atNs, entry?.stops),
			pauses: pausesSince(listener.atNs, entry?.pauses),
			hung: entry?.listener.atNs === listener.atNs ? entry.hung : undefined,
		});
	};

	/** What follows for a socket whose entry says something else of its process. */
	const replace = (entry: Entry, change: Partial<Pick<Entry, "stops" | "pauses" | "hung">>) => {
		if (entry.listener.port !== 0) touch(keyOf(entry.listener));
		entries.set(entry.listener.socket, { ...entry, ...change });
	};

	const setPauses = (entry: Entry, pauses: Pauses | undefined) => {
		if (pauses !== entry.pauses) replace(entry, { pauses });
	};

	const setDown = (socket: SocketId) => {
		const entry = entries.get(socket);
		if (entry === undefined) return;
		unlink(entry.listener);
		entries.delete(socket);
		const key = keyOf(entry.listener);
		if (!byEndpoint.has(key)) emptied.add(key);
	};

	const markStopping = (stop: StopEvent) => {
		for (const entry of entries.values()) {
			if (!concerns(stop, entry.listener)) continue;
			replace(entry, { stops: afterStop(entry.stops, stop) });
		}
	};

	/** Whether a read soon may tell more. */
	const markPause = (event: PauseEvent): boolean => {
		let again = false;
		for (const entry of entries.values()) {
			const { socket } = entry.listener;
			if (!isAbout(event, entry.listener)) continue;
			const found = sight.found.get(socket);
			// a read names one that keeps a process from running, and says nothing of a second one, then
			const isOutdated = wasSeen(socket, event.atNs) && (found === undefined || found === event.whom.by);
			const pauses = isOutdated ? entry.pauses : afterEvent(entry.pauses, event);
			setPauses(entry, pauses);
			// that other one may have come and been lost
			const isHalfKnown = pausedOf(pauses) !== undefined || found === event.whom.by;
			again ||= event.kind === "resumed" && isHalfKnown;
		}
		return again;
	};

	/** Whether the last read had the socket, and began later. */
	const wasSeen = (socket: SocketId, atNs: number) => atNs < sight.beganNs && sight.found.has(socket);

	/** A second `listen()`. Whether a read soon may tell more. */
	const relisten = ({ socket, backlog, atNs }: Listener): boolean => {
		const entry = entries.get(socket);
		// its first one was lost: what it was, its row says
		if (entry === undefined) return atNs > (tombstones.closedNs(socket) ?? Number.NEGATIVE_INFINITY);
		if (atNs > entry.backlogNs && !wasSeen(socket, atNs)) {
			setUp({ ...entry.listener, backlog }, atNs, entry.missed && atNs < readNs);
		}
		return false;
	};

	/** Whether a row of a read replaces what is known of its socket. */
	const canTake = (row: Listener, beganNs: number): boolean => {
		const entry = entries.get(row.socket);
		if (entry !== undefined) return row.atNs >= entry.listener.atNs;
		const closed = tombstones.closedNs(row.socket);
		return closed === undefined || row.atNs > closed || beganNs >= closed + REVIVE_AFTER_NS;
	};

	/** Whether a read soon may tell more. */
	const change = ({ kind, listener }: SocketEvent): boolean => {
		const { socket, atNs } = listener;
		const knownNs = entries.get(socket)?.listener.atNs ?? tombstones.closedNs(socket) ?? Number.NEGATIVE_INFINITY;
		if (kind === "listen" && atNs > knownNs) {
			// A complete read that began later did not have it: its close was lost, or is on its way.
			const isOutdated = atNs < readNs && !entries.has(socket);
			if (!isOutdated) setUp(listener);
			return isOutdated || listener.port === 0;
		}
		if (kind === "relisten") return relisten(listener);
		if (kind === "close" && atNs >= knownNs) {
			setDown(socket);
			tombstones.close(socket, atNs);
		}
		return false;
	};

	const report = (): EndpointChange[] => {
		const changes: EndpointChange[] = [];
		for (const [key, was] of before) {
			const now = endpoint(key);
			const isNew = was === undefined;
			const wasClosed = !isNew && emptied.has(key);
			if (now !== undefined) changes.push({ kind: "up", endpoint: now, isNew, ...(wasClosed && { wasClosed }) });
			else if (was !== undefined) changes.push({ kind: "down", endpoint: was });
		}
		before = new Map();
		emptied = new Set();
		return changes;
	};

	return {
		fold(events) {
			let again = false;
			for (const event of events) {
				if (event.kind === "stopping") markStopping(event);
				else if ("listener" in event) again = change(event) || again;
				else again = markPause(event) || again;
			}
			const last = events.at(-1);
			if (last !== undefined) tombstones.age(atNsOf(last));
			return { changes: report(), again };
		},

		merge({ rows, beganNs, complete }) {
			const seen =
				rows === sight.rows ? sight.found : new Map(rows.map(({ socket, paused }) => [socket, paused] as const));
			let again = false;
			for (const row of rows) {
				again ||= row.port === 0;
				const known = entries.get(row.socket);
				// nearly always: what was decoded at the read before
				if (known?.listener === row && !known.missed && known.pauses === undefined) continue;
				if (!canTake(row, beganNs)) continue;
				setUp(withNewerBacklog(row, entries.get(row.socket), beganNs));
				const entry = entries.get(row.socket);
				if (entry !== undefined) setPauses(entry, afterRead(entry.pauses, row.paused, beganNs));
			}
			sight = { beganNs, rows, found: seen };
			for (const entry of complete ? entries.values() : []) {
				const { socket, atNs } = entry.listener;
				if (seen.has(socket) || atNs >= beganNs) continue;
				if (entry.missed) setDown(socket);
				else entries.set(socket, { ...entry, missed: true });
				again ||= !entry.missed;
			}
			if (complete) readNs = Math.max(readNs, beganNs);
			tombstones.age(beganNs);
			return { changes: report(), again };
		},

		mark(hung) {
			if (hung.size > 0 || isAnyHung) {
				for (const entry of entries.values()) {
					const now = hung.get(entry.listener.socket);
					if (now !== entry.hung) replace(entry, { hung: now });
				}
			}
			isAnyHung = hung.size > 0;
			return { changes: report(), again: false };
		},

		endpoints: () => [...byEndpoint.keys()].flatMap((key) => endpoint(key) ?? []),
		sockets: () => [...entries.values()].map(({ listener }) => listener),
	};
}

const isSome = <T>(all: T[]): all is [T, ...T[]] => all.length > 0;

/** Few are paused: the others are not copied. */
function withoutPause(listener: Listener): Omit<Listener, "paused"> {
	if (listener.paused === undefined) return listener;
	const { paused: _, ...plain } = listener;
	return plain;
}

/** Whether two records of one socket tell a reader the same. */
function sameListener(a: Listener, b: Listener): boolean {
	return a.atNs === b.atNs && a.port === b.port && a.backlog === b.backlog;
}

/** A read that began before a second `listen()` knows the backlog of the first. */
function withNewerBacklog(row: Listener, entry: Entry | undefined, beganNs: number): Listener {
	if (entry === undefined || row.atNs !== entry.listener.atNs || beganNs > entry.backlogNs) return row;
	return { ...row, backlog: entry.listener.backlog };
}
