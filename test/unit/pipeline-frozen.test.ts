/** The pipeline while the sensor is down: what rests on its word waits, and what does not goes on. */

import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { backendId } from "../../src/backends/backend.js";
import { configSchema } from "../../src/config/schema.js";
import { UNKNOWN_ROUTES } from "../../src/identity/routes.js";
import type { Listener } from "../../src/listeners/event.js";
import { netnsKey } from "../../src/listeners/ids.js";
import { createPipeline } from "../../src/pipeline.js";
import { close, listen, listenerOf, stop } from "./listeners/listener.js";
import { createListeners } from "./readiness/questions.js";

beforeEach(() => {
	vi.useFakeTimers();
});
afterEach(() => {
	vi.useRealTimers();
});

const bootTimeNs = () => performance.now() * 1e6;
const nowNs = () => Math.round(bootTimeNs());

function setup(service: object = {}) {
	const listeners = createListeners();
	/** By namespace; those that are missing are not known. */
	const addresses = new Map<string, string>([
		["1", "10.0.0.1"],
		["2", "10.0.0.2"],
	]);
	const config = configSchema.parse({ services: { web: { match: { port: 80 }, ...service } } });
	const pipeline = createPipeline({
		config,
		resolver: {
			resolve: ({ netns, netnsInode, comm, hostname }: Listener) => {
				const address = addresses.get(netns);
				return {
					identity: { comm, hostname, netnsInode },
					addresses:
						address === undefined
							? { state: "unknown", why: "the process is gone" }
							: { state: "known", ipv4: [address], ipv6: [] },
					isHost: false,
				};
			},
			expire: () => undefined,
			routesOf: () => UNKNOWN_ROUTES,
			want: () => undefined,
			forget: () => undefined,
			disturbed: () => [],
		},
		presenceOf: () => "unknown",
		probe: listeners.probe,
		log: pino({ enabled: false }),
		now: () => performance.now(),
		bootTimeNs,
		onChange: () => undefined,
		requestRead: () => undefined,
	});
	const read = (...rows: Listener[]) => pipeline.onRead({ beganNs: nowNs(), complete: true, rows });
	read();
	pipeline.adopt([]);
	return {
		pipeline,
		addresses,
		listeners,
		config,
		shown: () => pipeline.desired()?.flatMap(({ backends }) => backends.map(({ id, state }) => `${id} ${state}`)),
		down: () => pipeline.onSensor({ state: "down" }),
		/** As the sensor does: two reads that agree come first. */
		up(...rows: Listener[]) {
			read(...rows);
			read(...rows);
			pipeline.onSensor({ state: "up" });
		},
	};
}

const inNetns = (netns: number, change: Partial<Listener> = {}) =>
	listenerOf(netns, nowNs(), { netns: netnsKey(String(netns)), netnsInode: netns, pid: netns, ...change });

describe("while the sensor is down", () => {
	test("the last backend stays, however long ago it closed: it may listen again", () => {
		const { pipeline, shown, down, up } = setup({ lastGrace: "3s" });
		const a = inNetns(1);
		pipeline.onEvents([listen(a)]);
		pipeline.onEvents([close(a, nowNs() + 1)]);
		down();
		vi.advanceTimersByTime(10_000);
		expect(shown()).toEqual(["10.0.0.1:80 closing"]);
		up(inNetns(1));
		expect(shown()).toEqual(["10.0.0.1:80 ready"]);
	});

	test("and nobody listened there again, the last one goes as soon as that is known", () => {
		const { pipeline, shown, down, up } = setup({ lastGrace: "3s" });
		const a = inNetns(1);
		pipeline.onEvents([listen(a)]);
		pipeline.onEvents([close(a, nowNs() + 1)]);
		down();
		vi.advanceTimersByTime(10_000);
		up();
		expect(shown()).toEqual([]);
	});

	test("who was told to stop does not come back: it may have closed", () => {
		const { pipeline, addresses, shown, down, up, config } = setup({ drainTimeout: "5s" });
		const [a, b, c] = [inNetns(1), inNetns(2), inNetns(3)];
		addresses.set("3", "10.0.0.3");
		pipeline.onEvents([listen(a), listen(b), listen(c)]);
		pipeline.onEvents([stop(nowNs() + 1, { pid: 1 })]);
		expect(shown()).toEqual(["10.0.0.1:80 drain", "10.0.0.2:80 ready", "10.0.0.3:80 ready"]);
		down();
		vi.advanceTimersByTime(10_000);
		expect(shown()).toEqual(["10.0.0.1:80 drain", "10.0.0.2:80 ready", "10.0.0.3:80 ready"]);
		// also where something else ends a step
		pipeline.reconfigure({ ...config });
		pipeline.hold({ service: "web", id: backendId("10.0.0.2", 80) }, "drain");
		expect(shown()).toEqual(["10.0.0.1:80 drain", "10.0.0.2:80 drain", "10.0.0.3:80 ready"]);
		up(b, c);
		expect(shown()).toEqual(["10.0.0.2:80 drain", "10.0.0.3:80 ready"]);
	});

	test("who was told to stop and goes on comes back once that is known", () => {
		const { pipeline, shown, down, up } = setup({ drainTimeout: "5s" });
		const [a, b] = [inNetns(1), inNetns(2)];
		pipeline.onEvents([listen(a), listen(b)]);
		pipeline.onEvents([stop(nowNs() + 1, { pid: 1 })]);
		down();
		vi.advanceTimersByTime(10_000);
		up(a, b);
		expect(shown()).toEqual(["10.0.0.1:80 ready", "10.0.0.2:80 ready"]);
	});

	test("who waits for its address joins only after it is known that it still listens", () => {
		const { pipeline, addresses, shown, down, up } = setup();
		const [a, b] = [inNetns(3), inNetns(4)];
		pipeline.onEvents([listen(a), listen(b)]);
		down();
		addresses.set("3", "10.0.0.3");
		addresses.set("4", "10.0.0.4");
		vi.advanceTimersByTime(20_000);
		pipeline.recheck();
		expect(shown()).toEqual([]);
		up(b);
		expect(shown()).toEqual(["10.0.0.4:80 ready"]);
	});

	test("who has lost its address stays: it may have closed, and then that is to be told", () => {
		const { pipeline, addresses, shown, down, up } = setup();
		const a = inNetns(1);
		pipeline.onEvents([listen(a)]);
		down();
		addresses.delete("1");
		pipeline.recheck();
		expect(shown()).toEqual(["10.0.0.1:80 ready"]);
		up(a);
		expect(shown()).not.toContain("10.0.0.1:80 ready");
	});

	test("who answers what it was asked joins only after it is known that it still listens", async () => {
		const { pipeline, listeners, shown, down, up } = setup({ ready: { http: "/healthz" } });
		const [a, b] = [inNetns(1), inNetns(2)];
		pipeline.onEvents([listen(a), listen(b)]);
		down();
		listeners.says.set("10.0.0.1:80", "ready");
		listeners.says.set("10.0.0.2:80", "ready");
		await vi.advanceTimersByTimeAsync(6000);
		expect(shown()).toEqual([]);
		up(b);
		expect(shown()).toEqual(["10.0.0.2:80 ready"]);
		pipeline.close();
		expect(vi.getTimerCount()).toBe(0);
	});

	test("a person is obeyed", () => {
		const { pipeline, shown, down } = setup();
		pipeline.onEvents([listen(inNetns(1)), listen(inNetns(2))]);
		down();
		const ref = { service: "web", id: backendId("10.0.0.1", 80) };
		pipeline.hold(ref, "down");
		expect(shown()).toEqual(["10.0.0.1:80 down", "10.0.0.2:80 ready"]);
		pipeline.release(ref);
		expect(shown()).toEqual(["10.0.0.1:80 ready", "10.0.0.2:80 ready"]);
	});
});

test("once the sensor is up again, what is due by time goes on by itself", () => {
	const { pipeline, shown, down, up } = setup({ lastGrace: "3s" });
	const a = inNetns(1);
	pipeline.onEvents([listen(a)]);
	down();
	vi.advanceTimersByTime(100);
	up();
	expect(shown()).toEqual(["10.0.0.1:80 closing"]);
	vi.advanceTimersByTime(3000);
	expect(shown()).toEqual([]);
});
