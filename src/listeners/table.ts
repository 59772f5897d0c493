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
 *   first process gets it; only a newer LISTEN, or the end of the socket, takes the mark away.
 */

import { atNsOf, type KernelEvent, type Listener, type Read, type SocketEvent, type StopEvent } from "./event.js";
import { type EndpointKey, endpointKey, type NetnsKey, type SocketId } from "./ids.js";

/** A read begun less than this after a CLOSE does not revive: the row may be the one that is just going. */
const REVIVE_AFTER_NS = 1e9;
/** How long a CLOSE is remembered at least: longer than `REVIVE_AFTER_NS`, and short, since a flood of closes adds up. */
const TOMBSTONE_NS = 2e9;

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
}

/** Stop signal, by number → when it was last told, in boot-time nanoseconds. */
export type Stops = ReadonlyMap<number, number>;

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
	/** Every endpoint that listens now; the same values again, as far as nothing about them changed. */
	endpoints(): Endpoint[];
	/** Every socket that listens now, those without a port included. */
	sockets(): Listener[];
}

interface Entry {
	readonly listener: Listener;
	/** Whether the last read that could have had it did not. */
	readonly missed: boolean;
	/** The stop signals it was told since it listens. */
	readonly stops: Stops | undefined;
}

/** An empty table. */
export function createTable(): ListenerTable {
	const entries = new Map<SocketId, Entry>();
	/** When a socket closed, in boot-time nanoseconds: in two generations, of which the older one is dropped whole. */
	let tombstones = new Map<SocketId, number>();
	let olderTombstones = new Map<SocketId, number>();
	let generationNs = 0;
	/** When the last complete read began. */
	let readNs = Number.NEGATIVE_INFINITY;
	const byEndpoint = new Map<EndpointKey, Map<SocketId, Listener>>();
	const derived = new Map<EndpointKey, Endpoint>();
	/** Endpoints touched since the last report, as they were then. */
	let before = new Map<EndpointKey, Endpoint | undefined>();
	/** Those of them that lost their last socket since. */
	let emptied = new Set<EndpointKey>();

	const keyOf = (listener: Listener) => endpointKey(listener.netns, listener.address, listener.port);

	const derive = (key: EndpointKey): Endpoint | undefined => {
		const [first, ...rest] = [...(byEndpoint.get(key)?.values() ?? [])].sort((a, b) => a.atNs - b.atNs);
		if (first === undefined) return undefined;
		const { netns, address, port } = first;
		const stopping = toldToAll([first, ...rest].map(({ socket }) => entries.get(socket)?.stops));
		return { key, netns, address, port, sockets: [first, ...rest], ...(stopping !== undefined && { stopping }) };
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

	const setUp = (listener: Listener) => {
		const entry = entries.get(listener.socket);
		if (entry !== undefined && sameListener(entry.listener, listener)) {
			// A read finds mostly what is known: that stays.
			if (entry.missed) entries.set(listener.socket, { ...entry, missed: false });
			return;
		}
		if (entry !== undefined) unlink(entry.listener);
		link(listener);
		tombstones.delete(listener.socket);
		olderTombstones.delete(listener.socket);
		entries.set(listener.socket, { listener, missed: false, stops: toldSince(listener.atNs, entry?.stops) });
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
		for (const [socket, entry] of entries) {
			const { listener } = entry;
			if (!concerns(stop, listener)) continue;
			if (listener.port !== 0) touch(keyOf(listener));
			const lastNs = Math.max(stop.atNs, entry.stops?.get(stop.signal) ?? 0);
			entries.set(socket, { ...entry, stops: new Map([...(entry.stops ?? []), [stop.signal, lastNs]]) });
		}
	};

	const closedNs = (socket: SocketId) => tombstones.get(socket) ?? olderTombstones.get(socket);

	const ageTombstones = (nowNs: number) => {
		if (nowNs < generationNs + TOMBSTONE_NS) return;
		olderTombstones = tombstones;
		tombstones = new Map();
		generationNs = nowNs;
	};

	/** Whether a row of a read replaces what is known of its socket. */
	const canTake = (row: Listener, beganNs: number): boolean => {
		const entry = entries.get(row.socket);
		if (entry !== undefined) return row.atNs >= entry.listener.atNs;
		const closed = closedNs(row.socket);
		return closed === undefined || row.atNs > closed || beganNs >= closed + REVIVE_AFTER_NS;
	};

	/** Whether a read soon may tell more. */
	const change = ({ kind, listener }: SocketEvent): boolean => {
		const { socket, atNs } = listener;
		const knownNs = entries.get(socket)?.listener.atNs ?? closedNs(socket) ?? Number.NEGATIVE_INFINITY;
		if (kind === "listen" && atNs > knownNs) {
			// A complete read that began later did not have it: its close was lost, or is on its way.
			const isOutdated = atNs < readNs && !entries.has(socket);
			if (!isOutdated) setUp(listener);
			return isOutdated || listener.port === 0;
		}
		if (kind === "close" && atNs >= knownNs) {
			setDown(socket);
			tombstones.set(socket, atNs);
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
			}
			const last = events.at(-1);
			if (last !== undefined) ageTombstones(atNsOf(last));
			return { changes: report(), again };
		},

		merge({ rows, beganNs, complete }) {
			const seen = new Set<SocketId>();
			let again = false;
			for (const row of rows) {
				seen.add(row.socket);
				if (canTake(row, beganNs)) setUp(row);
				again ||= row.port === 0;
			}
			for (const [socket, entry] of entries) {
				if (!complete || seen.has(socket) || entry.listener.atNs >= beganNs) continue;
				if (entry.missed) setDown(socket);
				else entries.set(socket, { ...entry, missed: true });
				again ||= !entry.missed;
			}
			if (complete) readNs = Math.max(readNs, beganNs);
			ageTombstones(beganNs);
			return { changes: report(), again };
		},

		endpoints: () => [...byEndpoint.keys()].flatMap((key) => endpoint(key) ?? []),
		sockets: () => [...entries.values()].map(({ listener }) => listener),
	};
}

/** Whether two records of one socket tell a reader the same. */
function sameListener(a: Listener, b: Listener): boolean {
	return a.atNs === b.atNs && a.port === b.port && a.backlog === b.backlog;
}

/** Whether the signal goes to the process that opened the socket, or to its container's first one; after it listened. */
function concerns({ pid, isInit, pidNamespace, atNs }: StopEvent, listener: Listener): boolean {
	if (listener.atNs > atNs) return false;
	return listener.pid === pid || (isInit && listener.pidNamespace === pidNamespace);
}

/** Those that a socket was told since it listens. */
function toldSince(atNs: number, stops: Stops | undefined): Stops | undefined {
	return stops && new Map([...stops].filter(([, toldNs]) => toldNs >= atNs));
}

/** What all of them have, each with its latest time. */
function toldToAll([first, ...rest]: readonly (Stops | undefined)[]): Stops | undefined {
	const told = new Map<number, number>();
	for (const [signal, atNs] of first ?? []) {
		const times = [atNs, ...rest.flatMap((stops) => stops?.get(signal) ?? [])];
		if (times.length === rest.length + 1) told.set(signal, Math.max(...times));
	}
	return told.size > 0 ? told : undefined;
}
