/** `solistend watch`: live events of listeners and their processes, as a table or as JSON lines. Needs no daemon. */

import { once } from "node:events";
import { constants } from "node:os";
import { compileGlob } from "../backends/glob.js";
import type { Identity } from "../identity/identity.js";
import { createResolver } from "../identity/resolver.js";
import { sanitize } from "../identity/sanitize.js";
import { listenerJson, whoIs } from "../listener-json.js";
import type { PauseEvent, SocketEvent, StopEvent } from "../listeners/event.js";
import type { SocketId } from "../listeners/ids.js";
import { bootTimeNs } from "../sensor/libbpf.js";
import { lostSince, NO_LOSSES } from "../sensor/losses.js";
import { openSensor } from "../sensor/sensor.js";
import { type Column, colour, jsonText, printLine, printNotice, tableHead, tableLine } from "./output.js";

export interface WatchOptions {
	readonly json: boolean;
	readonly port?: number | undefined;
	readonly pid?: number | undefined;
	/** Name under /run/netns, `host`, or inode number. */
	readonly netns?: string | undefined;
	/** Glob. */
	readonly comm?: string | undefined;
	/** False with --no-close. */
	readonly close: boolean;
}

const COLUMNS: readonly Column[] = [
	{ title: "TIME", width: 12 },
	{ title: "EVENT", width: 8 },
	{ title: "PID", width: 7, align: "right" },
	{ title: "COMM", width: 15 },
	{ title: "NETNS", width: 14 },
	{ title: "PROTO", width: 5 },
	{ title: "BACKLOG", width: 7, align: "right" },
	{ title: "ADDRESS", width: 15 },
	{ title: "PORT", width: 5, align: "right" },
	{ title: "CONTAINER/HOSTNAME", width: 18 },
];

/** What a stop event fills of them: time, event, pid and comm; then comes the signal. */
const STOP_COLUMNS: readonly Column[] = [...COLUMNS.slice(0, 4), { title: "SIGNAL", width: 7 }];

/** What a pause fills: time, event, and pid where it is that of a process; then comes what paused it. */
const PAUSE_COLUMNS: readonly Column[] = [...COLUMNS.slice(0, 4), { title: "BY", width: 7 }];

const STOP_SIGNALS = ["SIGTERM", "SIGINT", "SIGQUIT"] as const;

/** Runs until `signal`; the exit code. */
export async function watch(options: WatchOptions, signal: AbortSignal): Promise<number> {
	const resolver = createResolver();
	const wanted = filter(options);
	const wantedStop = stopFilter(options);
	const wantedPause = pauseFilter(options);
	/** Listens without bind: their port comes with a read. */
	const portless = new Map<SocketId, SocketEvent>();
	let lost = NO_LOSSES;
	const stuck = new AbortController();

	const show = (event: SocketEvent) => {
		const { identity } = resolver.resolve(event.listener);
		if (!wanted(event, identity)) return;
		const time = timeOf(event.listener.atNs);
		printLine(options.json ? jsonLine(event, identity, time) : row(event, identity, time));
	};

	const showStop = (event: StopEvent) => {
		if (!wantedStop(event)) return;
		const time = timeOf(event.atNs);
		printLine(options.json ? stopJsonLine(event, time) : stopRow(event, time));
	};

	const showPause = (event: PauseEvent) => {
		if (!wantedPause(event)) return;
		const time = timeOf(event.atNs);
		printLine(options.json ? pauseJsonLine(event, time) : pauseRow(event, time));
	};

	const sensor = openSensor({
		onEvents(events) {
			for (const event of events) {
				if (event.kind === "stopping") {
					showStop(event);
					continue;
				}
				if (!("listener" in event)) {
					showPause(event);
					continue;
				}
				if (event.kind === "listen" && event.listener.port === 0) {
					portless.set(event.listener.socket, event);
					sensor.requestRead();
					continue;
				}
				const opened = portless.get(event.listener.socket);
				portless.delete(event.listener.socket);
				// it closed before a read could tell its port
				if (opened !== undefined) show(opened);
				show(event);
			}
		},
		onRead({ rows }) {
			if (portless.size === 0) return;
			for (const listener of rows) {
				if (listener.port !== 0 && portless.delete(listener.socket)) show({ kind: "listen", listener });
			}
			if (portless.size > 0) sensor.requestRead();
		},
		onTrouble(message, losses) {
			printNotice(`solistend: ${message}`);
			if (!options.json) return;
			for (const { reason, count } of lostSince(lost, losses)) {
				printLine(jsonText({ time: new Date().toISOString(), event: "lost", reason, count }));
			}
			lost = losses;
		},
		onStuck: (error) => stuck.abort(error),
	});
	const { stopping } = sensor.hooks();
	if (stopping.state !== "available") printNotice(`solistend: stop signals are not seen: ${stopping.why}`);
	sensor.setStopSignals(STOP_SIGNALS.map((name) => constants.signals[name]));
	try {
		if (!options.json) printLine(colour("bold", tableHead(COLUMNS)));
		const end = AbortSignal.any([signal, stuck.signal]);
		if (!end.aborted) await once(end, "abort");
	} finally {
		await sensor.close();
	}
	return 0;
}

function filter({ port, pid, netns, comm, close }: WatchOptions): (event: SocketEvent, identity: Identity) => boolean {
	const commMatches = comm === undefined ? undefined : compileGlob(comm);
	return ({ kind, listener }, { netnsName }) =>
		(close || kind !== "close") &&
		(port === undefined || listener.port === port) &&
		(pid === undefined || listener.pid === pid) &&
		(netns === undefined || netns === netnsName || netns === String(listener.netnsInode)) &&
		(commMatches === undefined || commMatches(listener.comm));
}

/** A stop signal goes to a process: it has neither port nor namespace of a socket. */
function stopFilter({ port, pid, netns, comm }: WatchOptions): (event: StopEvent) => boolean {
	const commMatches = comm === undefined ? undefined : compileGlob(comm);
	return (event) =>
		port === undefined &&
		netns === undefined &&
		(pid === undefined || event.pid === pid) &&
		(commMatches === undefined || commMatches(event.comm));
}

/** A pause is that of a process or of a cgroup: there is nothing else to choose it by. */
function pauseFilter({ port, pid, netns, comm }: WatchOptions): (event: PauseEvent) => boolean {
	const isAll = port === undefined && netns === undefined && comm === undefined;
	return ({ whom }) => isAll && (pid === undefined || (whom.by === "signal" && whom.pid === pid));
}

function jsonLine({ kind, listener }: SocketEvent, identity: Identity, time: Date): string {
	return jsonText({ time: time.toISOString(), event: kind, ...listenerJson(listener, identity) });
}

function row({ kind, listener }: SocketEvent, identity: Identity, time: Date): string {
	const line = tableLine(COLUMNS, [
		clock(time),
		kind,
		String(listener.pid),
		identity.comm,
		identity.netnsName ?? String(listener.netnsInode),
		listener.protocol,
		String(listener.backlog),
		listener.address,
		String(listener.port),
		whoIs(identity),
	]);
	return kind === "close" ? colour("dim", line) : line;
}

const signalName = (signal: number) =>
	STOP_SIGNALS.find((name) => constants.signals[name] === signal) ?? String(signal);

function stopJsonLine({ kind, pid, comm, signal }: StopEvent, time: Date): string {
	return jsonText({ time: time.toISOString(), event: kind, pid, comm, signal: signalName(signal) });
}

function stopRow({ kind, pid, comm, signal }: StopEvent, time: Date): string {
	return tableLine(STOP_COLUMNS, [clock(time), kind, String(pid), sanitize(comm), signalName(signal)]);
}

function pauseJsonLine({ kind, whom }: PauseEvent, time: Date): string {
	return jsonText({ time: time.toISOString(), event: kind, ...whom });
}

function pauseRow({ kind, whom }: PauseEvent, time: Date): string {
	const [pid, what] = whom.by === "signal" ? [String(whom.pid), "by a signal"] : ["", `cgroup ${whom.cgroupId}`];
	return tableLine(PAUSE_COLUMNS, [clock(time), kind, pid, "", what]);
}

/** The time of day of a boot-time moment of now. */
function timeOf(atNs: number): Date {
	return new Date(Date.now() - (bootTimeNs() - atNs) / 1e6);
}

/** Local time of day with milliseconds. */
function clock(time: Date): string {
	const two = (value: number) => String(value).padStart(2, "0");
	const ms = String(time.getMilliseconds()).padStart(3, "0");
	return `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}.${ms}`;
}
