/** What the programs in the kernel cost those who open connections, and those who listen. */

import { setTimeout as pause } from "node:timers/promises";
import type { Sensor } from "../../../src/sensor/sensor.js";
import { addNetns, enter } from "../../host/netns.js";
import { beside, type Figure, type Section } from "../figure.js";
import { type BpfStats, countBpf, type Runs } from "../rig/bpf-stats.js";
import { startDialogue } from "../rig/dialogue.js";
import { startFlood } from "../rig/flood.js";
import { native } from "../rig/native.js";
import { openSensor } from "../rig/sensor.js";
import { percentile } from "../statistics.js";

/** Both ends of connections, and each end changes its state a few times. */
const SOCKETS = 100_000;
/** So many that none is over its rate: the cost of an event that is sent. */
const NAMESPACES = 200;
const KEEP = 80;
/** Between so many of them at once, what was sent is taken in: one that finds no room costs less. */
const STEPS = 10;
const STEP_MS = 50;
const ROUNDS = 3;
const CHANGE_GOAL_NS = 100;
const LISTEN_GOAL_NS = 3000;

export async function cost(): Promise<Section> {
	await using stats = await countBpf();
	const sensor = openSensor({ onEvents() {}, onRead() {}, onTrouble() {} });
	try {
		const others = await during(stats, connect);
		let [listens, closes]: [Runs, Runs] = [NONE, NONE];
		const perListen: number[] = [];
		let [events, lost] = [0, 0];
		for (let round = 0; round < ROUNDS; round++) {
			const before = lostBy(sensor);
			const flood = await startFlood(NAMESPACES, KEEP);
			for (let step = 0; step < STEPS; step++) {
				let made = 0;
				const runs = await during(stats, async () => {
					made = (await flood.run((NAMESPACES * KEEP) / STEPS)).events;
				});
				perListen.push(runs.ns / made);
				listens = sum(listens, runs);
				events += made;
				await pause(STEP_MS);
			}
			lost += lostBy(sensor) - before;
			closes = sum(closes, await during(stats, flood.close));
		}
		return {
			title: "In the kernel",
			text: `By the kernel's own statistics (\`kernel.bpf_stats_enabled\`), which count their own clock in: the time of all programs of the
sensor together. ${(SOCKETS / 2).toLocaleString("en")} connections over a loopback are opened and closed, and ${(NAMESPACES * KEEP).toLocaleString("en")} sockets in ${NAMESPACES} namespaces listen and are
closed, ${ROUNDS} times.`,
			figures: [
				figure("a TCP state change that is no listen", others.ns / others.count, CHANGE_GOAL_NS),
				beside("– such changes", others.count.toLocaleString("en")),
				figure(
					`a listen(), median of ${perListen.length} times ${(NAMESPACES * KEEP) / STEPS}`,
					percentile(perListen, 0.5),
					LISTEN_GOAL_NS,
				),
				beside("– mean of all", text(listens.ns / events)),
				beside("– the close of a listener", text(closes.ns / events)),
				beside("– of these, events that found no room or were over a rate", String(lost)),
			],
		};
	} finally {
		await sensor.close();
	}
}

const lostBy = (sensor: Sensor) => sensor.losses().ringFull + sensor.losses().limited;
const NONE: Runs = { count: 0, ns: 0 };
const sum = (a: Runs, b: Runs): Runs => ({ count: a.count + b.count, ns: a.ns + b.ns });
const text = (ns: number) => `${ns.toFixed(0)} ns`;
const figure = (what: string, ns: number, mostNs: number): Figure => ({
	what,
	measured: text(ns),
	goal: `≤ ${mostNs} ns`,
	met: ns <= mostNs,
});

async function during(stats: BpfStats, work: () => Promise<void>): Promise<Runs> {
	const before = await stats.read();
	await work();
	const after = await stats.read();
	return { count: after.count - before.count, ns: after.ns - before.ns };
}

/** Opens connections, and closes them. */
async function connect(): Promise<void> {
	await using netns = await addNetns("cost");
	await using hoard = startDialogue([...enter(netns), await native("hoard"), "0", String(SOCKETS)]);
	await hoard.next();
}
