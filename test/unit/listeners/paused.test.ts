import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { KernelEvent, Listener } from "../../../src/listeners/event.js";
import { createTable, type ListenerTable } from "../../../src/listeners/table.js";
import { close, listen, listenerOf, pause, relisten, stop } from "./listener.js";

const SECOND = 1e9;
const complete = (beganNs: number, rows: readonly Listener[]) => ({ beganNs, complete: true, rows });
const pausedOf = (table: ListenerTable) => table.endpoints().map(({ paused }) => paused);

describe("a process that is paused", () => {
	test("marks the endpoint, whose socket goes on listening, until it runs again", () => {
		const table = createTable();
		table.fold([listen(listenerOf(1, 10))]);
		expect(table.fold([pause(20, "signal")]).changes).toMatchObject([
			{ kind: "up", isNew: false, endpoint: { paused: { by: "signal", sinceNs: 20 } } },
		]);
		expect(table.fold([pause(30, "signal", "resumed")]).changes).toMatchObject([{ kind: "up", isNew: false }]);
		expect(pausedOf(table)).toEqual([undefined]);
	});

	test("leaves the sockets as the same values, so that nobody need be asked who they are", () => {
		const table = createTable();
		table.fold([listen(listenerOf(1, 10))]);
		const [before] = table.endpoints();
		table.fold([pause(20, "freezer")]);
		expect(table.endpoints()[0]?.sockets[0]).toBe(before?.sockets[0]);
	});

	test("is the one that listened, or one of its cgroup, and no other", () => {
		const table = createTable();
		table.fold([listen(listenerOf(1, 10, { pid: 1, cgroupId: "7" }))]);
		expect(table.fold([pause(20, "signal", "paused", { pid: 2 })]).changes).toEqual([]);
		expect(table.fold([pause(20, "freezer", "paused", { cgroupId: "8" })]).changes).toEqual([]);
		table.fold([pause(21, "freezer", "paused", { cgroupId: "7" })]);
		expect(pausedOf(table)).toEqual([{ by: "freezer", sinceNs: 21 }]);
	});

	test("counts when all sockets of the endpoint are, since the last of them is", () => {
		const table = createTable();
		table.fold([listen(listenerOf(1, 10, { pid: 1 })), listen(listenerOf(2, 11, { pid: 2 }))]);
		table.fold([pause(20, "signal", "paused", { pid: 1 })]);
		expect(pausedOf(table)).toEqual([undefined]);
		table.fold([pause(30, "signal", "paused", { pid: 2 })]);
		expect(pausedOf(table)).toEqual([{ by: "signal", sinceNs: 30 }]);
		table.fold([listen(listenerOf(3, 40, { pid: 3 }))]);
		expect(pausedOf(table)).toEqual([undefined]);
	});

	test("is paused until both have let it go, where it is frozen and stopped", () => {
		const table = createTable();
		table.fold([listen(listenerOf(1, 10)), pause(20, "signal"), pause(30, "freezer")]);
		expect(pausedOf(table)).toEqual([{ by: "signal", sinceNs: 20 }]);
		table.fold([pause(40, "signal", "resumed")]);
		expect(pausedOf(table)).toEqual([{ by: "freezer", sinceNs: 30 }]);
		table.fold([pause(50, "freezer", "resumed")]);
		expect(pausedOf(table)).toEqual([undefined]);
	});

	test("is running when it listens anew, and its end ends the mark", () => {
		const table = createTable();
		table.fold([listen(listenerOf(1, 10)), pause(20, "signal"), listen(listenerOf(1, 30))]);
		expect(pausedOf(table)).toEqual([undefined]);
		table.fold([pause(40, "signal"), close(listenerOf(1, 10), 50), listen(listenerOf(2, 60))]);
		expect(pausedOf(table)).toEqual([undefined]);
	});

	test("is found by a read that began later; what an event said later stays", () => {
		const table = createTable();
		const a = listenerOf(1, 10);
		table.merge(complete(20, [{ ...a, paused: "freezer" }]));
		expect(pausedOf(table)).toEqual([{ by: "freezer", sinceNs: 20 }]);
		expect(table.sockets()).toEqual([a]);
		table.fold([pause(40, "freezer", "resumed")]);
		table.merge(complete(30, [{ ...a, paused: "freezer" }]));
		expect(pausedOf(table)).toEqual([undefined]);
		table.fold([pause(50, "freezer")]);
		expect(table.merge(complete(60, [{ ...a, paused: "freezer" }])).changes).toEqual([]);
		expect(pausedOf(table)).toEqual([{ by: "freezer", sinceNs: 50 }]);
		expect(table.merge(complete(70, [a])).changes).toMatchObject([{ kind: "up", isNew: false }]);
		expect(pausedOf(table)).toEqual([undefined]);
	});

	test("is still stopped when it is thawed, though the read that overtook the signal named the freezer alone", () => {
		const table = createTable();
		table.merge(complete(40, [{ ...listenerOf(1, 10), paused: "freezer" }]));
		table.fold([pause(30, "signal"), pause(50, "freezer", "resumed")]);
		expect(pausedOf(table)).toMatchObject([{ by: "signal" }]);
	});

	test("is read again when it is thawed and was stopped: nobody saw whether that lasts", () => {
		const table = createTable();
		const a = listenerOf(1, 10);
		expect(table.fold([listen(a), pause(20, "signal")]).again).toBe(false);
		expect(table.merge(complete(40, [{ ...a, paused: "freezer" }])).again).toBe(false);
		expect(table.fold([pause(50, "freezer", "resumed")]).again).toBe(true);
		table.merge(complete(60, [a]));
		expect(pausedOf(table)).toEqual([undefined]);
	});

	test("is read again when it is thawed and the last read named the freezer: a signal that was lost may last", () => {
		const table = createTable();
		const a = listenerOf(1, 10);
		table.merge(complete(40, [{ ...a, paused: "freezer" }]));
		expect(table.fold([pause(50, "freezer", "resumed")]).again).toBe(true);
		table.merge(complete(60, [{ ...a, paused: "signal" }]));
		expect(pausedOf(table)).toMatchObject([{ by: "signal" }]);
	});

	test("is not marked by an event that a read overtook", () => {
		const table = createTable();
		const a = listenerOf(1, 10);
		table.merge(complete(40, [a]));
		expect(table.fold([pause(30, "freezer")]).changes).toEqual([]);
	});
});

describe("a second listen()", () => {
	test("changes the backlog and nothing else", () => {
		const table = createTable();
		const [a, b] = [listenerOf(1, 10), listenerOf(2, 11)];
		table.fold([listen(a), listen(b), stop(20), pause(21, "freezer")]);
		const [before] = table.endpoints();
		const { changes } = table.fold([relisten(a, 30, 7)]);
		expect(changes).toMatchObject([{ kind: "up", isNew: false }]);
		expect(table.endpoints()).toEqual([{ ...before, sockets: [{ ...a, backlog: 7 }, b] }]);
	});

	test("stays, though a read that began before it knows the first one; a later read wins", () => {
		const table = createTable();
		const a = listenerOf(1, 10);
		table.fold([listen(a), relisten(a, 30, 7)]);
		table.merge(complete(20, [a]));
		expect(table.sockets()).toMatchObject([{ backlog: 7 }]);
		table.merge(complete(40, [{ ...a, backlog: 9 }]));
		expect(table.sockets()).toMatchObject([{ backlog: 9 }]);
		table.fold([relisten(a, 30, 7)]);
		expect(table.sockets()).toMatchObject([{ backlog: 9 }]);
	});

	test("of a socket that nobody knows asks for a read, unless it closed since", () => {
		const table = createTable();
		const a = listenerOf(1, 10);
		expect(table.fold([relisten(a, 20, 7)])).toEqual({ changes: [], again: true });
		expect(table.fold([close(a, 30), relisten(a, 20, 7)])).toEqual({ changes: [], again: false });
	});
});

describe("sockets that are hung", () => {
	const mark = (table: ListenerTable, hung: Record<string, number>) =>
		table.mark(
			new Map(Object.entries(hung).map(([id, sinceMs]) => [listenerOf(Number(id), 0).socket, { queued: 3, sinceMs }])),
		);

	test("make a hung endpoint when all of it are, until one is not", () => {
		const table = createTable();
		table.fold([listen(listenerOf(1, 10)), listen(listenerOf(2, 11))]);
		mark(table, { 1: 5 });
		expect(table.endpoints()[0]).not.toHaveProperty("hung");
		expect(mark(table, { 1: 5, 2: 7 }).changes).toMatchObject([{ isNew: false }]);
		expect(table.endpoints()[0]?.hung).toEqual({ queued: 6, sinceMs: 7 });
		mark(table, { 2: 7 });
		expect(table.endpoints()[0]).not.toHaveProperty("hung");
	});

	test("tell of nothing that stays, and of no socket that is unknown", () => {
		const table = createTable();
		table.fold([listen(listenerOf(1, 10))]);
		const hung = new Map([[listenerOf(1, 0).socket, { queued: 3, sinceMs: 5 }]]);
		expect(table.mark(hung).changes).toHaveLength(1);
		expect(table.mark(new Map(hung)).changes).toEqual([]);
		expect(mark(createTable(), { 1: 5 }).changes).toEqual([]);
	});

	test("are not when they listen anew", () => {
		const table = createTable();
		table.fold([listen(listenerOf(1, 10))]);
		mark(table, { 1: 5 });
		table.fold([close(listenerOf(1, 10), 20), listen(listenerOf(1, 30))]);
		expect(table.endpoints()[0]).not.toHaveProperty("hung");
	});
});

type Op =
	| { readonly op: "open" | "close" | "relisten"; readonly n: number }
	| { readonly op: "freeze" | "thaw" | "stop" | "continue"; readonly n: number }
	| { readonly op: "deliver" | "lose" | "repeat"; readonly count: number }
	| { readonly op: "read" };

const KERNEL = ["open", "open", "close", "relisten", "freeze", "thaw", "stop", "continue"] as const;
const kernelOp = fc.record({ op: fc.constantFrom(...KERNEL), n: fc.nat(5) });
const queueOp = fc.record({
	op: fc.constantFrom("deliver" as const, "lose" as const, "repeat" as const),
	count: fc.integer({ min: 1, max: 4 }),
});
const script: fc.Arbitrary<Op[]> = fc.array(
	fc.oneof(
		{ weight: 6, arbitrary: kernelOp },
		{ weight: 3, arbitrary: queueOp },
		{ weight: 2, arbitrary: fc.record({ op: fc.constant("read" as const) }) },
	),
	{ maxLength: 60 },
);

/** A kernel with six sockets of three processes in two cgroups, its ring buffer, and the table that follows it. */
function run(steps: readonly Op[]) {
	const table = createTable();
	const rows = new Map<number, Listener>();
	const stopped = new Set<number>();
	const frozen = new Set<string>();
	let queue: KernelEvent[] = [];
	let delivered: KernelEvent[] = [];
	let now = 1000;
	let wanted = false;
	const pidOf = (n: number) => 100 + (n >> 1);
	const cgroupOf = (n: number) => String(n >> 2);
	const causesOf = ({ pid, cgroupId }: Listener) => [
		...(frozen.has(cgroupId) ? (["freezer"] as const) : []),
		...(stopped.has(pid) ? (["signal"] as const) : []),
	];
	const runs = (n: number) => !stopped.has(pidOf(n)) && !frozen.has(cgroupOf(n));

	const apply = (op: (typeof KERNEL)[number], n: number) => {
		const row = rows.get(n);
		const [pid, cgroupId] = [pidOf(n), cgroupOf(n)];
		if (op === "open" && row === undefined && runs(n)) {
			const listener = listenerOf(n, ++now, { port: 8000 + n, pid, cgroupId });
			rows.set(n, listener);
			queue.push(listen(listener));
		} else if (op === "close" && row !== undefined) {
			rows.delete(n);
			queue.push(close(row, ++now));
		} else if (op === "relisten" && row !== undefined && runs(n)) {
			const backlog = row.backlog + 1;
			rows.set(n, { ...row, backlog });
			queue.push(relisten(row, ++now, backlog));
		} else if (op === "freeze" && !frozen.has(cgroupId)) {
			frozen.add(cgroupId);
			queue.push(pause(++now, "freezer", "paused", { cgroupId }));
		} else if (op === "thaw" && frozen.delete(cgroupId)) {
			queue.push(pause(++now, "freezer", "resumed", { cgroupId }));
		} else if (op === "stop" && !stopped.has(pid)) {
			stopped.add(pid);
			queue.push(pause(++now, "signal", "paused", { pid }));
		} else if (op === "continue" && stopped.delete(pid)) {
			queue.push(pause(++now, "signal", "resumed", { pid }));
		}
	};
	const fold = (events: readonly KernelEvent[]) => {
		const { again } = table.fold(events);
		wanted ||= again;
	};
	const read = () => {
		const beganNs = ++now;
		const found = [...rows.values()].map((row) => {
			const [paused] = causesOf(row);
			return paused === undefined ? row : { ...row, paused };
		});
		wanted = table.merge(complete(beganNs, found)).again;
		delivered = [];
	};

	for (const step of steps) {
		switch (step.op) {
			case "deliver":
				delivered = queue.splice(0, step.count);
				fold(delivered);
				break;
			case "lose":
				if (queue.splice(-step.count).length > 0) wanted = true;
				break;
			case "repeat":
				fold(delivered.slice(0, step.count));
				break;
			case "read":
				read();
				break;
			default:
				apply(step.op, step.n);
		}
	}
	return {
		deliverRest() {
			fold(queue);
			queue = [];
		},
		/** Reads as long as one is wanted; bounded, so that a table that always wants another fails. */
		readWhileWanted() {
			for (let i = 0; i < 5 && wanted; i++) {
				now += SECOND / 4;
				read();
			}
			return !wanted;
		},
		resync() {
			for (let i = 0; i < 2; i++) {
				now += SECOND;
				read();
			}
		},
		/** By port: what the table, and what the kernel, has of each listener. */
		told: () =>
			new Map(
				table.endpoints().map(({ port, paused, sockets: [{ backlog }] }) => [port, [paused !== undefined, backlog]]),
			),
		truth: () => new Map([...rows.values()].map((row) => [row.port, [causesOf(row).length > 0, row.backlog]] as const)),
	};
}

describe("whatever is lost, repeated or late", () => {
	test("after a resync the table knows who is paused, and each backlog", () => {
		fc.assert(
			fc.property(script, fc.boolean(), (steps, restArrives) => {
				const { deliverRest, resync, told, truth } = run(steps);
				if (restArrives) deliverRest();
				resync();
				expect(told()).toEqual(truth());
			}),
			{ numRuns: 2000 },
		);
	});

	test("the reads that were asked for are enough, whenever they happen", () => {
		fc.assert(
			fc.property(script, (steps) => {
				const { deliverRest, readWhileWanted, told, truth } = run(steps);
				deliverRest();
				expect(readWhileWanted()).toBe(true);
				expect(told()).toEqual(truth());
			}),
			{ numRuns: 5000 },
		);
	});

	test("without loss, the events alone are enough", () => {
		fc.assert(
			fc.property(script, (steps) => {
				const { deliverRest, told, truth } = run(steps.filter(({ op }) => op !== "lose"));
				deliverRest();
				expect(told()).toEqual(truth());
			}),
			{ numRuns: 2000 },
		);
	});
});
