/** How long after `listen()` an event is there: as a line of `solistend watch --json`, and in the daemon's main thread. */

import { solistend } from "../../host/daemon.js";
import { eventually } from "../../host/eventually.js";
import { startProcess } from "../../host/process.js";
import { rawSocket } from "../../host/raw-socket.js";
import type { Figure, Section } from "../figure.js";
import { openSensor } from "../rig/sensor.js";
import { percentile, summary } from "../statistics.js";

const RUNS = 300;
const GOAL_MS = 5;

export async function sensor(): Promise<Section> {
	return {
		title: "The sensor",
		text: `A process listens and notes the time just before the system call; \`solistend watch --json\`, another process,
writes a line.`,
		figures: [await watchLatency(), await stopLatency()],
	};
}

async function watchLatency(): Promise<Figure> {
	const seen = new Map<number, number>();
	const [program, ...words] = solistend("watch", "--json", "--no-close", "--pid", String(process.pid));
	await using _watch = startProcess([program, ...words], {
		onLine(line) {
			seen.set(JSON.parse(line).port, performance.now());
		},
	});
	await eventually("watch has attached", () => {
		listenOnce();
		return seen.size > 0;
	});
	const times: number[] = [];
	for (let i = 0; i < RUNS; i++) {
		const { port, atMs } = listenOnce();
		times.push((await eventually("the line", () => seen.get(port), { everyMs: 1 })) - atMs);
		seen.delete(port);
	}
	return {
		what: `listen() → line of \`watch --json\` in another process (p50 / p99 / max of ${RUNS})`,
		measured: summary(times),
		goal: `p50 ≤ ${GOAL_MS} ms`,
		met: percentile(times, 0.5) <= GOAL_MS,
	};
}

async function stopLatency(): Promise<Figure> {
	const goalMs = 200;
	const times: number[] = [];
	for (let i = 0; i < 20; i++) {
		let events = 0;
		const sensor = openSensor({
			onEvents(batch) {
				events += batch.length;
			},
			onRead() {},
			onTrouble(message) {
				throw new Error(message);
			},
		});
		await eventually("the worker is up", () => {
			listenOnce();
			return events > 0;
		});
		const startedMs = performance.now();
		await sensor.close();
		times.push(performance.now() - startedMs);
	}
	return {
		what: "stop of the sensor: worker, programs, maps (p50 / p99 / max of 20)",
		measured: summary(times),
		goal: `≤ ${goalMs} ms`,
		met: Math.max(...times) <= goalMs,
	};
}

/** Listens and closes; the time is that just before the system call. */
function listenOnce(): { port: number; atMs: number } {
	using socket = rawSocket();
	socket.bind(0);
	const port = socket.port();
	const atMs = performance.now();
	socket.listen(1);
	return { port, atMs };
}
