/** What comes of paused and hung listeners, from what the sensor says to the desired set. */

import { pino } from "pino";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { configSchema } from "../../src/config/schema.js";
import { UNKNOWN_ROUTES } from "../../src/identity/routes.js";
import type { FullQueue, Listener } from "../../src/listeners/event.js";
import { netnsKey } from "../../src/listeners/ids.js";
import { createPipeline } from "../../src/pipeline.js";
import { close, listen, listenerOf, pause } from "./listeners/listener.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const CONFIG = { services: { web: { match: { port: 80 } } } };

function setup(config: object = {}) {
	let full: readonly FullQueue[] = [];
	let looks = 0;
	let resolved = 0;
	let changes = 0;
	const pipeline = createPipeline({
		config: configSchema.parse({ ...CONFIG, ...config }),
		resolver: {
			resolve({ netns, netnsInode, comm, hostname }: Listener) {
				resolved++;
				return {
					identity: { comm, hostname, netnsInode },
					addresses: { state: "known", ipv4: [`10.0.0.${netns}`], ipv6: [] },
					isHost: false,
				};
			},
			expire: () => {},
			routesOf: () => UNKNOWN_ROUTES,
			want: () => {},
			forget: () => {},
			disturbed: () => [],
		},
		presenceOf: () => "unknown",
		log: pino({ enabled: false }),
		now: () => performance.now(),
		bootTimeNs: () => performance.now() * 1e6,
		readFullQueues() {
			looks++;
			return full;
		},
		onChange: () => changes++,
		requestRead: () => {},
	});
	return {
		pipeline,
		counts: () => ({ looks, resolved, changes }),
		fill: (...queues: FullQueue[]) => {
			full = queues;
		},
		states: () => pipeline.desired()?.flatMap(({ backends }) => backends.map(({ state }) => state)),
		unfit: () => pipeline.status().flatMap(({ backends }) => backends.map((one) => one.unfit)),
	};
}

const at = (n: number, change: Partial<Listener> = {}) =>
	listenerOf(n, 10 + n, { netns: netnsKey(String(n)), pid: n, cgroupId: String(n), ...change });
const read = (...rows: Listener[]) => ({ beganNs: 20, complete: true, rows });
const queueOf = (n: number, head = "a"): FullQueue => ({ socket: at(n).socket, queued: 129, head });

test("a paused process takes its backend out without another look at who it is, and brings it back", () => {
	const { pipeline, states, unfit, counts } = setup();
	pipeline.onRead(read(at(1), at(2)));
	const before = counts();
	pipeline.onEvents([pause(30, "signal", "paused", { pid: 1 })]);
	expect(states()).toEqual(["down", "ready"]);
	expect(unfit()).toEqual(["paused", undefined]);
	pipeline.onEvents([pause(40, "signal", "resumed", { pid: 1 })]);
	expect(states()).toEqual(["ready", "ready"]);
	expect(counts()).toEqual({ ...before, changes: before.changes + 2 });
	pipeline.close();
});

test("one that is paused when the first read finds it is out from the start", () => {
	const { pipeline, states } = setup();
	pipeline.onRead(read(at(1, { paused: "freezer" }), at(2)));
	expect(states()).toEqual(["down", "ready"]);
	pipeline.close();
});

test("one that accepts nothing for hung.after is out, and back when it accepts; a pause says more", () => {
	const { pipeline, states, unfit, fill } = setup({ hung: { after: "2s" } });
	pipeline.onRead(read(at(1), at(2)));
	fill(queueOf(1));
	vi.advanceTimersByTime(2999);
	expect(states()).toEqual(["ready", "ready"]);
	vi.advanceTimersByTime(1);
	expect(states()).toEqual(["down", "ready"]);
	expect(unfit()).toEqual(["hung", undefined]);
	pipeline.onEvents([pause(30, "freezer", "paused", { cgroupId: "1" })]);
	expect(unfit()).toEqual(["paused", undefined]);
	pipeline.onEvents([pause(40, "freezer", "resumed", { cgroupId: "1" })]);
	expect(unfit()).toEqual(["hung", undefined]);
	fill(queueOf(1, "b"));
	vi.advanceTimersByTime(1000);
	expect(states()).toEqual(["ready", "ready"]);
	pipeline.close();
	expect(vi.getTimerCount()).toBe(0);
});

test("queues are looked at while a pool has backends, and not otherwise", () => {
	const { pipeline, counts } = setup({ services: { web: { match: { port: 80 }, lastGrace: "1s" } } });
	pipeline.onRead(read());
	pipeline.onEvents([listen(at(1, { port: 81 }))]);
	expect(vi.getTimerCount()).toBe(0);
	pipeline.onEvents([listen(at(2, { atNs: 30 }))]);
	vi.advanceTimersByTime(5000);
	expect(counts().looks).toBe(5);
	pipeline.onEvents([close(at(2), 40)]);
	vi.advanceTimersByTime(1000);
	expect(pipeline.desired()).toMatchObject([{ backends: [] }]);
	expect(vi.getTimerCount()).toBe(0);
	pipeline.close();
});

test("while the sensor is down nobody leaves and nobody comes back, whoever hangs; once it is up a look says it again", () => {
	const { pipeline, states, fill } = setup({ hung: { after: "1s" } });
	pipeline.onRead(read(at(1), at(2)));
	fill(queueOf(1));
	vi.advanceTimersByTime(2000);
	pipeline.onSensor({ state: "down" });
	fill(queueOf(2));
	vi.advanceTimersByTime(5000);
	expect(states()).toEqual(["down", "ready"]);
	pipeline.onSensor({ state: "up" });
	vi.advanceTimersByTime(1000);
	expect(states()).toEqual(["ready", "down"]);
	pipeline.close();
});

test("a rule that is taken back takes back what came of it", () => {
	const { pipeline, states, fill } = setup({ hung: { after: "1s" } });
	pipeline.onRead(read(at(1), at(2)));
	fill(queueOf(1));
	vi.advanceTimersByTime(2000);
	expect(states()).toEqual(["down", "ready"]);
	pipeline.reconfigure(configSchema.parse({ ...CONFIG, hung: false }));
	expect(states()).toEqual(["ready", "ready"]);
	expect(vi.getTimerCount()).toBe(0);
	pipeline.close();
});
