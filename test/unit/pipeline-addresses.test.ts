/** The pipeline with the real identity stage, over a `/proc` in memory: whose address is whose, and who is told. */

import { pino } from "pino";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { configSchema } from "../../src/config/schema.js";
import type { ContainerLookup } from "../../src/identity/container.js";
import { createResolver } from "../../src/identity/resolver.js";
import type { Listener } from "../../src/listeners/event.js";
import { netnsKey } from "../../src/listeners/ids.js";
import { createPipeline, type Pipeline } from "../../src/pipeline.js";
import { containerOf } from "./backends/labels/declaring.js";
import { type FakeProcess, fakeProcfs } from "./identity/fake-procfs.js";
import { close, listen, listenerOf } from "./listeners/listener.js";

beforeEach(() => {
	vi.useFakeTimers();
});
afterEach(() => {
	vi.useRealTimers();
});

const HOST = 4026531833;
const BLUE = 4026532177;
const GREEN = 4026532300;
const bootTimeNs = () => performance.now() * 1e6;
const container = (digit: string) => digit.repeat(64);
const moved = (digit: string) => ({
	id: container(digit),
	container: containerOf(0, { id: container(digit) }),
	isMoved: true,
});

/** `10.0.2.0/24` is on a link of the host's; all else is behind its default route. */
const ROUTES = ["eth0 0002000A 00000000 0001 0 0 0 00FFFFFF 0 0 0", "eth0 00000000 0102000A 0003 0 0 0 00000000 0 0 0"];

function open(...processes: FakeProcess[]) {
	const procfs = fakeProcfs([{ pid: 1, netns: HOST }, ...processes]);
	procfs.routes.set(HOST, [ROUTES.join("\n"), ""]);
	const lookups = new Map<string, ContainerLookup>();
	const pipeline = createPipeline({
		config: configSchema.parse({
			services: { web: { match: { port: 80 }, lastGrace: "0s" } },
			discovery: { labels: false },
		}),
		resolver: createResolver({
			procfs,
			netnsFolder: "/nonexistent",
			now: () => performance.now(),
			interfaces: () => ({}),
			lookup: (id) => lookups.get(id) ?? { state: "waiting", why: "the engine does not answer" },
		}),
		presenceOf: () => "listening",
		log: pino({ enabled: false }),
		now: () => performance.now(),
		bootTimeNs,
		onChange: () => {},
		requestRead: () => {},
	});
	pipeline.onRead({ beganNs: 5, complete: true, rows: [] });
	return { pipeline, procfs, lookups };
}

const ids = (pipeline: Pipeline) => pipeline.desired()?.flatMap(({ backends }) => backends.map(({ id }) => id));
const why = (pipeline: Pipeline) =>
	pipeline.listeners().map(({ verdict }) => (verdict.state === "in" ? "in" : `${verdict.state}: ${verdict.why}`));
const inBlue: FakeProcess = { pid: 100, netns: BLUE, cgroup: `0::/docker/${container("b")}\n` };
const inGreen: FakeProcess = { pid: 200, netns: GREEN, cgroup: `0::/docker/${container("a")}\n` };
const blue = (socket: number, atNs: number, change: Partial<Listener> = {}) =>
	listenerOf(socket, atNs, { netns: netnsKey("7"), netnsInode: BLUE, taskNetnsInode: BLUE, pid: 100, ...change });
const green = (socket: number, atNs: number, change: Partial<Listener> = {}) =>
	listenerOf(socket, atNs, { netns: netnsKey("8"), netnsInode: GREEN, taskNetnsInode: GREEN, pid: 200, ...change });

test("an address is nobody's while two namespaces have it that services want, and the first one's again at once", () => {
	const { pipeline, procfs } = open(inBlue, inGreen);
	procfs.addresses.set(BLUE, "10.0.2.100");
	procfs.addresses.set(GREEN, "10.0.2.100");
	pipeline.onEvents([listen(blue(1, 10))]);
	expect(ids(pipeline)).toEqual(["10.0.2.100:80"]);
	// anybody may give any address to a namespace of his own
	pipeline.onEvents([listen(green(2, 20, { port: 81 }))]);
	expect(ids(pipeline)).toEqual(["10.0.2.100:80"]);
	const other = green(3, 30, { address: "10.0.2.100" });
	pipeline.onEvents([listen(other)]);
	expect(ids(pipeline)).toEqual([]);
	expect(why(pipeline)[0]).toBe("out: web: 10.0.2.100 belongs to another network namespace, too");
	pipeline.onEvents([close(other, 40)]);
	expect(ids(pipeline)).toEqual(["10.0.2.100:80"]);
});

test("an inode number that is used again is that of one namespace alone", () => {
	const { pipeline, procfs } = open(inBlue);
	procfs.addresses.set(BLUE, "10.0.2.100");
	pipeline.onEvents([listen(blue(1, 10))]);
	// its close is still on its way
	const next = blue(2, 20, { netns: netnsKey("9") });
	pipeline.onEvents([listen(next)]);
	expect(why(pipeline)[1]).toBe("out: web: another network namespace claims 10.0.2.100:80, too");
	pipeline.onEvents([close(blue(1, 10), 30)]);
	expect(ids(pipeline)).toEqual(["10.0.2.100:80"]);
});

test("a container that is said to have moved is looked at at once, and whoever shares its namespace with it", () => {
	const { pipeline, procfs } = open(inBlue, { ...inBlue, pid: 101, cgroup: `0::/docker/${container("c")}\n` }, inGreen);
	procfs.addresses.set(BLUE, "10.0.2.5");
	procfs.addresses.set(GREEN, "10.0.2.6");
	const sidecar = blue(2, 11, { pid: 101, address: "0.0.0.0", port: 80, socket: listenerOf(2, 0).socket });
	pipeline.onEvents([listen(blue(1, 10, { address: "10.0.2.5" })), listen(sidecar), listen(green(3, 12))]);
	expect(ids(pipeline)).toEqual(["10.0.2.5:80", "10.0.2.6:80"]);
	procfs.addresses.set(BLUE, "10.0.2.7");
	procfs.addresses.set(GREEN, "10.0.2.8");
	pipeline.onContainers([moved("b")]);
	// the one that is bound to the old address says so itself, until it closes
	expect(ids(pipeline)).toEqual(["10.0.2.5:80", "10.0.2.6:80", "10.0.2.7:80"]);
	pipeline.onContainers([moved("e")]);
	pipeline.onContainers([moved("a")]);
	expect(ids(pipeline)).toEqual(["10.0.2.5:80", "10.0.2.7:80", "10.0.2.8:80"]);
});

test("an address behind the default route waits, and the published port is used as soon as the engine tells of it", () => {
	const { pipeline, procfs, lookups } = open(inBlue);
	procfs.addresses.set(BLUE, "10.9.9.9");
	const web = blue(1, 10);
	pipeline.adopt([{ service: "web", address: "127.0.0.1", port: 8080 }]);
	pipeline.onEvents([listen(web)]);
	expect(ids(pipeline)).toEqual(["127.0.0.1:8080"]);
	expect(why(pipeline)[0]).toMatch(/^pending: web: 10\.9\.9\.9 is reached only by the default route/);
	lookups.set(container("b"), {
		state: "known",
		container: {
			id: container("b"),
			name: "web",
			image: "app",
			labels: new Map(),
			env: undefined,
			exposed: [],
			published: [{ port: 80, hostAddress: "0.0.0.0", hostPort: 8080 }],
			stopSignal: undefined,
		},
	});
	pipeline.onContainers([moved("b")]);
	expect(why(pipeline)).toEqual(["in"]);
	// what was adopted has given way, so that the close counts
	pipeline.onEvents([close(web, 20)]);
	expect(ids(pipeline)).toEqual([]);
});

test("a route that comes late is found by itself", () => {
	const { pipeline, procfs } = open(inBlue);
	procfs.addresses.set(BLUE, "10.9.9.9");
	pipeline.onEvents([listen(blue(1, 10))]);
	expect(ids(pipeline)).toEqual([]);
	procfs.routes.set(HOST, [["br0 0009090A 00000000 0001 0 0 0 00FFFFFF 0 0 0", ...ROUTES].join("\n"), ""]);
	vi.advanceTimersByTime(10_000);
	expect(ids(pipeline)).toEqual(["10.9.9.9:80"]);
	pipeline.close();
	expect(vi.getTimerCount()).toBe(0);
});

test("10,000 listeners in one namespace are judged by one read of the routes", () => {
	const { pipeline, procfs } = open(inBlue);
	procfs.addresses.set(BLUE, "10.0.2.5");
	vi.spyOn(performance, "now").mockReturnValue(1000);
	const before = procfs.reads.routes;
	pipeline.onEvents(Array.from({ length: 10_000 }, (_, i) => listen(blue(i + 1, 10 + i, { port: 1000 + i }))));
	expect(procfs.reads.routes).toBe(before + 1);
});
