/** The sensor's worker thread dies, or hangs: what follows, in the sensor alone. */

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { eventually } from "../host/eventually.js";
import { type Fault, type FaultyWorker, faultyWorker } from "../host/fault.js";
import { type Lifetime, lifetime } from "../host/lifetime.js";
import { requirePrivileges, skipPrivileged } from "../host/privileges.js";
import { type Exit, startProcess } from "../host/process.js";
import { type RawSocket, rawSocket } from "../host/raw-socket.js";
import { openWatchedTable, type WatchedTable } from "../host/table.js";
import { tempFolder } from "../host/temp-folder.js";

requirePrivileges();

let owned: Lifetime;
let worker: FaultyWorker;
let watched: WatchedTable;

beforeEach(async () => {
	owned = lifetime();
	worker = owned.own(await faultyWorker());
	watched = openWatchedTable(worker.url);
	owned.own({ close: () => watched.sensor.close() });
});
afterEach(() => owned.close());

function listener(): RawSocket {
	const socket = rawSocket();
	expect(socket.bind(0)).toBe(0);
	expect(socket.listen(7)).toBe(0);
	return socket;
}

const state = () => watched.sensor.state().state;
const messages = () => watched.troubles.map(({ message }) => message);

/** The worker reads, and this was told: faults at its start are another case. */
async function begin(): Promise<RawSocket> {
	const first = listener();
	await watched.listening(first.port());
	return first;
}

describe.skipIf(skipPrivileged)("a worker", () => {
	test.each<[Fault, string]>([
		["throw once", "a fault of the test"],
		["exit once", "the worker thread ended"],
	])("that ends (%s) is replaced, and what happened meanwhile is known", async (fault, why) => {
		const first = await begin();
		using kept = listener();
		await watched.listening(kept.port());
		await worker.fault(fault);
		const port = first.port();
		first.close();
		using during = listener();
		await eventually("the sensor was down", () => watched.states.length > 0);
		expect(watched.states[0]).toMatchObject({ state: "down", why: `the watcher thread died: ${why}` });
		await eventually("it is up again", () => state() === "up");
		expect(watched.at(port)).toEqual([]);
		expect(watched.at(during.port())).toHaveLength(1);
		expect(watched.at(kept.port())).toHaveLength(1);
		expect(watched.sensor.losses().workerDeaths).toBe(1);
		expect(messages()).toContain(`the watcher thread died: ${why} (starting another one in 100 ms)`);
		using later = listener();
		await watched.listening(later.port());
	});

	test("that hangs is ended and replaced", async () => {
		using _first = await begin();
		await worker.fault("hang once");
		using during = listener();
		await eventually("the sensor was down", () => watched.states.length > 0);
		expect(watched.states[0]).toMatchObject({
			state: "down",
			why: "the watcher thread hangs: it did not answer within 450 ms",
		});
		await eventually("it is up again", () => state() === "up");
		expect(watched.at(during.port())).toHaveLength(1);
		expect(watched.sensor.losses().workerDeaths).toBe(1);
		expect(messages()).toContain(
			"the watcher thread died: it did not answer within 2000 ms (starting another one in 100 ms)",
		);
	});

	test("that is only late is not ended: it goes on, and what happened meanwhile is known", async () => {
		const first = await begin();
		const port = first.port();
		await worker.fault("late");
		using during = listener();
		await eventually("the sensor is down", () => state() === "down");
		first.close();
		await worker.mend();
		await eventually("it is up again", () => state() === "up");
		expect(watched.at(during.port())).toHaveLength(1);
		expect(watched.at(port)).toEqual([]);
		expect(watched.sensor.losses().workerDeaths).toBe(0);
		using later = listener();
		await watched.listening(later.port());
	});

	test("that dies over and over is started with growing pauses, and asked for no read meanwhile", async () => {
		using _first = await begin();
		await worker.fault("exit");
		using during = listener();
		const starts = () => messages().flatMap((message) => /starting another one in (\d+) ms/.exec(message)?.[1] ?? []);
		await eventually("it died a few times", () => starts().length >= 4);
		const { reads } = watched;
		watched.sensor.requestRead();
		expect(starts().slice(0, 4)).toEqual(["100", "200", "400", "800"]);
		expect(state()).toBe("down");
		expect(watched.at(during.port())).toEqual([]);
		expect(watched.states).toHaveLength(1);
		expect(watched.reads).toBe(reads);
		await worker.mend();
		await eventually("it is up again", () => state() === "up");
		expect(watched.at(during.port())).toHaveLength(1);
	});

	test("that hangs when the sensor is closed is ended by force", async () => {
		using _first = await begin();
		await worker.fault("hang once");
		using _during = listener();
		await eventually("it hangs", async () => !(await worker.isSet()));
		await watched.sensor.close();
	});
});

test.skipIf(skipPrivileged)("a main thread that stands still is counted, and the table is read", async () => {
	using _first = await begin();
	const { reads } = watched;
	Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2500);
	await eventually("the stall was noticed", () => watched.sensor.losses().mainStalls === 1);
	await eventually("the table was read", () => watched.reads > reads);
	expect(state()).toBe("up");
});

test.skipIf(skipPrivileged)("a process that fails, or exits without closing anything, ends all the same", async () => {
	const sensor = new URL("../../build/sensor/sensor.js", import.meta.url).href;
	const begin = `import { openSensor } from "${sensor}";
		let reads = 0;
		const sensor = openSensor({ onEvents() {}, onTrouble() {}, onRead() { if (reads++ > 0) leave(); } });
		// the worker waits by then
		setTimeout(() => sensor.requestRead(), 500);`;
	for (const [leave, code] of [
		[`() => { throw new Error("a fault of the test"); }`, 1],
		["() => process.exit(3)", 3],
	] as const) {
		const file = join(owned.own(await tempFolder()).path, "leave.mjs");
		await writeFile(file, `${begin} const leave = ${leave};`);
		await using failing = startProcess(["node", file]);
		let exit: Exit | undefined;
		failing.exited.then((is) => {
			exit = is;
		});
		await eventually(`it ends: ${failing.lastLines()}`, () => exit !== undefined);
		expect(exit).toEqual({ code, signal: undefined });
	}
});
