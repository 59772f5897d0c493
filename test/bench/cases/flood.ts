/** Ten million listeners that come and go, more than can be followed: whether the table is right in the end, and when. */

import { setTimeout as pause } from "node:timers/promises";
import type { KernelEvent } from "../../../src/listeners/event.js";
import { type LossReason, lostSince } from "../../../src/sensor/losses.js";
import { eventually } from "../../host/eventually.js";
import { rawSocket } from "../../host/raw-socket.js";
import { beside, type Figure, type Section } from "../figure.js";
import { type ChangeCounter, countChanges } from "../rig/changes.js";
import { startFlood } from "../rig/flood.js";
import { type Followed, follow } from "../rig/follow.js";
import { monotonicMs } from "../rig/probe.js";
import { namespacesOf } from "../rig/same.js";
import { openSensor } from "../rig/sensor.js";
import { heldMb, rssMb } from "../rig/usage.js";
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
/** If each event of a half kept two bytes, it would grow by 8 MB. */
const GROWTH_GOAL_MB = 5;
const LISTENS = 200;
const LISTEN_EVERY_MS = 20;
const P99_GOAL_MS = 20;
/** In which nobody listens or closes: far longer than an event is on its way. */
const REST_MS = 200;
/** The losses that are events. */
const EVENT_LOSSES: Partial<Record<LossReason, string>> = {
	ringFull: "ring buffer full",
	limited: "over its rate",
	undecodable: "undecodable",
};
/** The pairs of one command: it ends soon after it is told to. */
const SOME_PAIRS = 20_000;

export async function flood(): Promise<Section> {
	const { made, ofOthers, received, lost, sameMs, heldGrowthMb, residentGrowthMb } = await loss();
	const quiet = await listenToEvent();
	const flooded = await duringFlood(listenToEvent);
	const missing = lost.reduce((rest, { count }) => rest - count, made + ofOthers - received);
	return {
		title: "A flood",
		text: `A process listens and closes as fast as it can in ${NAMESPACES} namespaces, ${ROUNDS} times ${(EVENTS / ROUNDS).toLocaleString("en")} events with pauses between
them; the sensor and the daemon's table follow. Every ${STALL_EVERY_MS / 1000} s the thread that takes the events in stands still for ${STALL_MS} ms, and the worker
with it, so that the ring buffer overflows. Each time the table ends up as what \`/proc/net/tcp\` of all of these namespaces says;
what is measured is from the last event, or from the end of a standstill that outlasts it, to the last change that the
table needed for that. What it holds is what V8 has in use once garbage is collected, at its least. A BPF program of the
benchmark's own counts all listeners that come and go on the machine, of the flood and of others: each must have been
received, or counted as lost. Then one namespace alone is flooded, and a process in another one listens every ${LISTEN_EVERY_MS} ms, ${LISTENS} times;
the same without the flood before. Figures are p50 / p99 / max.`,
		figures: [
			{
				what: `the last event → the table is the kernel's, ${ROUNDS} times`,
				measured: summary(sameMs),
				goal: `≤ ${SAME_GOAL_MS} ms`,
				met: Math.max(...sameMs) <= SAME_GOAL_MS,
			},
			{
				what: `events neither received nor counted as lost, of ${made.toLocaleString("en")}`,
				measured: String(missing),
				goal: "0",
				met: missing === 0,
			},
			beside("– received", received.toLocaleString("en")),
			beside(
				"– lost and counted",
				lost.map(({ reason, count }) => `${count.toLocaleString("en")} (${EVENT_LOSSES[reason]})`).join(", "),
			),
			beside("– of both, of what others on this machine did meanwhile", ofOthers.toLocaleString("en")),
			{
				what: "memory that the process that follows holds, in the second half more than in the first",
				measured: `${heldGrowthMb.toFixed(1)} MB`,
				goal: `≤ ${GROWTH_GOAL_MB} MB`,
				met: heldGrowthMb <= GROWTH_GOAL_MB,
			},
			beside("– resident memory, with what V8 keeps for itself", `${residentGrowthMb.toFixed(1)} MB`),
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
	using counter = await countChanges();
	const account = () => accountOf(counter, followed);
	const before = await account();
	const sameMs: number[] = [];
	const memoryMb: { readonly held: number; readonly resident: number }[] = [];
	let made = 0;
	for (let round = 0; round < ROUNDS; round++) {
		const stalls = new AbortController();
		const stalling = stallNowAndThen(stalls.signal);
		const { events, lastMs } = await flooding.run(EVENTS / ROUNDS / 2);
		stalls.abort();
		const calmMs = Math.max(lastMs, await stalling);
		made += events;
		// the list takes a second of a core, and what is measured must not wait for it
		await pause(2 * SAME_GOAL_MS);
		const changedMs = await followed.same(await flooding.listeners());
		sameMs.push(Math.max(0, changedMs - calmMs));
		memoryMb.push({ held: heldMb(), resident: await rssMb(process.pid) });
	}
	const after = await account();
	const ofOthers = after.changes - before.changes - made;
	if (ofOthers < 0) throw new Error(`the second counter has ${-ofOthers} events less than the flood made`);
	return {
		made,
		ofOthers,
		received: after.received - before.received,
		lost: lostSince(before.losses, after.losses).filter(({ reason }) => Object.hasOwn(EVENT_LOSSES, reason)),
		sameMs,
		heldGrowthMb: growth(memoryMb.map(({ held }) => held)),
		residentGrowthMb: growth(memoryMb.map(({ resident }) => resident)),
	};
}

/** Of the least that there was in the second half to that in the first: what is on its way now and then does not count. */
const growth = (values: readonly number[]) =>
	Math.min(...values.slice(values.length / 2)) - Math.min(...values.slice(0, values.length / 2));

/** What was made and what was told so far, as of a moment in which neither grows: then nothing is on its way. */
async function accountOf(counter: ChangeCounter, followed: Followed) {
	const look = () => ({ changes: counter.read(), received: followed.received(), losses: followed.losses() });
	let last = look();
	return eventually(
		"nobody listens or closes for a moment",
		() => {
			const now = look();
			const isSame = JSON.stringify(now) === JSON.stringify(last);
			last = now;
			return isSame && now;
		},
		{ everyMs: REST_MS, timeoutMs: 120_000 },
	);
}

/** Blocks this thread, now and then: it takes in nothing meanwhile. Resolves with the end of the last time. */
async function stallNowAndThen(signal: AbortSignal): Promise<number> {
	const never = new Int32Array(new SharedArrayBuffer(4));
	let endedMs = 0;
	for (;;) {
		await pause(STALL_EVERY_MS, undefined, { signal }).catch(() => undefined);
		if (signal.aborted) return endedMs;
		Atomics.wait(never, 0, 0, STALL_MS);
		endedMs = monotonicMs();
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
