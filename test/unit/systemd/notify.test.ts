import { describe, expect, test } from "vitest";
import { SolistendError } from "../../../src/errors.js";
import { type ManagerEnvironment, takeManager } from "../../../src/systemd/notify.js";

/** A manager whose socket takes what it is given, unless it is full. */
function listening(environment: ManagerEnvironment = {}) {
	const taken: string[] = [];
	const socket = { isFull: false };
	const all = { NOTIFY_SOCKET: "/run/notify", ...environment };
	const manager = takeManager(all, (_, text) => {
		if (socket.isFull) throw new SolistendError("unsupported", "EAGAIN");
		taken.push(text);
	});
	if (manager === undefined) throw new Error("no manager");
	return { manager, taken, socket, environment: all };
}

describe("the manager of a process", () => {
	test("is not there without NOTIFY_SOCKET", () => {
		expect(takeManager({}, () => undefined)).toBeUndefined();
		expect(takeManager({ NOTIFY_SOCKET: "" }, () => undefined)).toBeUndefined();
	});

	test("is taken out of the environment: no child speaks in our name", () => {
		const { environment } = listening({ WATCHDOG_USEC: "2000000", WATCHDOG_PID: String(process.pid) });
		expect(environment).toEqual({});
	});

	test.each([
		["its own process", { WATCHDOG_USEC: "2000000", WATCHDOG_PID: String(process.pid) }, 2000],
		["whoever it is", { WATCHDOG_USEC: "1500000" }, 1500],
		["another process", { WATCHDOG_USEC: "2000000", WATCHDOG_PID: "1" }, undefined],
		["nobody", {}, undefined],
		["no time that can be meant", { WATCHDOG_USEC: "0" }, undefined],
	])("watches %s", (_, environment, watchdogMs) => {
		expect(listening(environment).manager.watchdogMs).toBe(watchdogMs);
	});

	test("is told of a reload with the time of its own clock", () => {
		const { manager, taken } = listening();
		manager.reloading();
		expect(taken[0]).toMatch(/^RELOADING=1\nMONOTONIC_USEC=[1-9]\d+\n$/);
	});

	test("is told a status in one line, and only once", () => {
		const { manager, taken } = listening();
		manager.status("one\nREADY=1");
		manager.status("one\nREADY=1");
		expect(taken).toEqual(["STATUS=one READY=1\n"]);
	});

	test("that could not be told hears it with the next word, unless that was overtaken", () => {
		const { manager, taken, socket } = listening();
		socket.isFull = true;
		manager.reloading();
		manager.status("reading");
		manager.ready();
		socket.isFull = false;
		manager.alive();
		manager.alive();
		expect(taken).toHaveLength(2);
		expect(taken[0]).not.toContain("RELOADING");
		expect(taken[0]).toContain("STATUS=reading\nREADY=1\nWATCHDOG=1\n");
		expect(taken[1]).toBe("WATCHDOG=1\n");
	});
});
