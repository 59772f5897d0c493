/** Ten million listeners that come and go, more than can be followed: whether the table is right in the end, and when. */

import { setTimeout as pause } from "node:timers/promises";
import type { KernelEvent } from "../../../src/listeners/event.js";
import { createTable, type Merged } from "../../../src/listeners/table.js";
import type { Losses, Sensor } from "../../../src/sensor/sensor.js";
import { eventually } from "../../host/eventually.js";
import { rawSocket } from "../../host/raw-socket.js";
import { beside, type Figure, type Section } from "../figure.js";
import { startFlood } from "../rig/flood.js";
import { monotonicMs } from "../rig/probe.js";
import { differenceOf, namespacesOf } from "../rig/same.js";
import { openSensor } from "../rig/sensor.js";
import { percentile, summary } from "../statistics.js";

const EVENTS = 10_000_000;
const ROUNDS = 10;
/** So many that none of them is over its rate: every event is on its way, and more than the ring buffer holds. */
const NAMESPACES = 200;
const KEEP = 5;
/** How long the main thread stands still, and how often: with it the worker, which hands on no more than is taken in. */
const STALL_MS = 300;
const STALL_EVERY_MS = 1500;
const SAME_GOAL_MS = 500;
const LISTENS = 200;
const LISTEN_EVERY_MS = 20;
const P99_GOAL_MS = 20;
/** The pairs of one command: it ends soon after it is told to. */
const SOME_PAIRS = 20_000;

/** What is received, and what the table makes of it, as in the daemon. */
interface Followed extends AsyncDisposable {
	readonly sensor: Sensor;
	/** Events of sockets in these namespaces so far. */
	readonly received: () => number;
	/** Resolves when the table says of them what the kernel says, with the time. */
	same(truth: ReadonlySet<string>): Promise<number>;
}

export async function flood(): Promise<Section> {
	const { made, received, lost, sameMs } = await loss();
	const quiet = await listenToEvent();
	const flooded = await duringFlood(listenToEvent);
	const counted = received + lost.events;
	return {
		title: "A flood",
		text: `A process listens and closes as fast as it can in ${NAMESPACES} namespaces, ${ROUNDS} times ${(EVENTS / ROUNDS).toLocaleString("en")} events with pauses between
them; the sensor and the daemon's table follow. Every ${STALL_EVERY_MS / 1000} s the thread that takes the events in stands still for ${STALL_MS} ms, and the worker
with it, so that the ring buffer overflows. After each time what the table has is compared with \`/proc/net/tcp\` of all of these
namespaces, whenever it changes, until they are the same. Then one namespace alone is flooded, and a process in another one
listens every ${LISTEN_EVERY_MS} ms, ${LISTENS} times; the same without the flood before. Figures are p50 / p99 / max.`,
		figures: [
			{
				what: `the last event → the table is the kernel's, ${ROUNDS} times`,
				measured: summary(sameMs),
				goal: `≤ ${SAME_GOAL_MS} ms`,
				met: Math.max(...sameMs) <= SAME_GOAL_MS,
			},
			{
				what: `events lost and not counted, of ${made.toLocaleString("en")}`,
				measured: String(Math.max(0, made - counted)),
				goal: "0",
				met: made <= counted,
			},
			beside("– counted besides: of what others on this machine did meanwhile", String(Math.max(0, counted - made))),
			beside("– received", received.toLocaleString("en")),
			beside("– lost and counted", lost.text),
			latency("listen() → event, in a namespace beside the flood", flooded),
			latency("– the same without a flood", quiet),
		],
	};
}

const latency = (what: string, times: readonly number[]): Figure => ({
	what,
	measured: summary(times),
	goal: `p99 ≤ ${P99_GOAL_MS} ms`,
	met: percentile(times, 0.99) <= P99_GOAL_MS,
});

async function loss() {
	await using flooding = await startFlood(NAMESPACES, KEEP);
	await flooding.run(NAMESPACES * 16);
	const namespaces = namespacesOf(await flooding.listeners());
	await using followed = follow(namespaces);
	const sameMs: number[] = [];
	let made = 0;
	for (let round = 0; round < ROUNDS; round++) {
		const stalls = new AbortController();
		const stalling = stallNowAndThen(stalls.signal);
		const { events, lastMs } = await flooding.run(EVENTS / ROUNDS / 2);
		stalls.abort();
		await stalling;
		made += events;
		const truth = await flooding.listeners();
		sameMs.push((await followed.same(truth)) - lastMs);
	}
	await pause(200);
	return { made, received: followed.received(), lost: lostOf(followed.sensor.losses()), sameMs };
}

/** Those of the losses that are events. */
function lostOf({ ringFull, limited, undecodable }: Losses) {
	const reasons = { "ring buffer full": ringFull, "over its rate": limited, undecodable };
	return {
		events: ringFull + limited + undecodable,
		text: Object.entries(reasons)
			.filter(([, count]) => count > 0)
			.map(([reason, count]) => `${count.toLocaleString("en")} (${reason})`)
			.join(", "),
	};
}

function follow(namespaces: ReadonlySet<number>): Followed {
	const table = createTable();
	let received = 0;
	let changedMs = monotonicMs();
	const take = ({ again }: Merged) => {
		changedMs = monotonicMs();
		if (again) sensor?.requestRead();
	};
	let sensor: Sensor | undefined;
	const opened = openSensor({
		onEvents(events) {
			received += events.filter((event) => "listener" in event && namespaces.has(event.listener.netnsInode)).length;
			take(table.fold(events));
		},
		onRead: (read) => take(table.merge(read)),
		onTrouble() {},
	});
	sensor = opened;
	return {
		sensor: opened,
		received: () => received,
		same: (truth) =>
			eventually(
				"the table is the kernel's",
				() => {
					const { missing, stale } = differenceOf(table.sockets(), truth, namespaces);
					return missing === 0 && stale === 0 && changedMs;
				},
				{ everyMs: 1 },
			),
		[Symbol.asyncDispose]: opened.close,
	};
}

/** Blocks this thread: it takes in nothing meanwhile. */
async function stallNowAndThen(signal: AbortSignal): Promise<void> {
	const never = new Int32Array(new SharedArrayBuffer(4));
	for (;;) {
		await pause(STALL_EVERY_MS, undefined, { signal }).catch(() => undefined);
		if (signal.aborted) return;
		Atomics.wait(never, 0, 0, STALL_MS);
	}
}

/** In this process's namespace: from before the system call to the event in its main thread. */
async function listenToEvent(): Promise<readonly number[]> {
	const seen = new Map<number, number>();
	const sensor = openSensor({
		onEvents(events: readonly KernelEvent[]) {
			for (const event of events) {
				if (event.kind === "listen" && event.listener.pid === process.pid) seen.set(event.listener.port, monotonicMs());
			}
		},
		onRead() {},
		onTrouble() {},
	});
	const times: number[] = [];
	try {
		for (let run = 0; run < LISTENS; run++) {
			using socket = rawSocket();
			socket.bind(0);
			const port = socket.port();
			seen.delete(port);
			const calledMs = monotonicMs();
			socket.listen(1);
			times.push((await eventually("the event", () => seen.get(port), { everyMs: 1 })) - calledMs);
			await pause(LISTEN_EVERY_MS);
		}
	} finally {
		await sensor.close();
	}
	return times;
}

/** Does something while a namespace is flooded at full speed. */
async function duringFlood<T>(work: () => Promise<T>): Promise<T> {
	await using flooding = await startFlood(1, KEEP);
	let isOver = false;
	const run = (async () => {
		while (!isOver) await flooding.run(SOME_PAIRS);
	})();
	try {
		return await work();
	} finally {
		isOver = true;
		await run;
	}
}
