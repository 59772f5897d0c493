import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { KernelEvent, Listener } from "../../../src/listeners/event.js";
import { createTable, type ListenerTable } from "../../../src/listeners/table.js";
import { close, listen, listenerOf, stop } from "./listener.js";

const SECOND = 1e9;
const ids = (listeners: readonly Listener[]) => listeners.map(({ socket }) => socket).sort();
const complete = (beganNs: number, rows: readonly Listener[]) => ({ beganNs, complete: true, rows });

describe("events", () => {
	test("a listen brings an endpoint up, its close takes it down", () => {
		const table = createTable();
		const a = listenerOf(1, 10);
		expect(table.fold([listen(a)]).changes).toMatchObject([{ kind: "up", isNew: true, endpoint: { port: 80 } }]);
		expect(table.fold([close(a, 20)]).changes).toMatchObject([{ kind: "down", endpoint: { port: 80 } }]);
		expect(table.endpoints()).toEqual([]);
	});

	test("a failed listen, closed within the same batch, is never reported", () => {
		const a = listenerOf(1, 10);
		expect(createTable().fold([listen(a), close(a, 11)]).changes).toEqual([]);
	});

	test("an endpoint stays up while one of its sockets listens", () => {
		const table = createTable();
		const [a, b] = [listenerOf(1, 10), listenerOf(2, 11)];
		table.fold([listen(a), listen(b)]);
		expect(table.fold([close(a, 20)]).changes).toMatchObject([{ kind: "up", isNew: false }]);
		expect(table.fold([close(b, 21)]).changes).toMatchObject([{ kind: "down" }]);
	});

	test("an endpoint whose last socket closed before the next one listened was closed, though nobody saw it down", () => {
		const table = createTable();
		const [a, b, c] = [listenerOf(1, 10), listenerOf(2, 21), listenerOf(3, 30)];
		expect(table.fold([listen(a)]).changes).not.toMatchObject([{ wasClosed: true }]);
		expect(table.fold([close(a, 20), listen(b)]).changes).toMatchObject([
			{ kind: "up", isNew: false, wasClosed: true },
		]);
		const [overlap] = table.fold([listen(c), close(b, 31)]).changes;
		expect(overlap).toMatchObject({ kind: "up", isNew: false, endpoint: { sockets: [c] } });
		expect(overlap).not.toHaveProperty("wasClosed");
	});

	test("the same port in two namespaces is two endpoints", () => {
		const table = createTable();
		const other = { netns: "7" as Listener["netns"] };
		table.fold([listen(listenerOf(1, 10)), listen(listenerOf(2, 11, other))]);
		expect(table.endpoints()).toHaveLength(2);
	});

	test("a listen without a port waits for a read to bring it", () => {
		const table = createTable();
		const a = listenerOf(1, 10, { port: 0 });
		expect(table.fold([listen(a)])).toEqual({ changes: [], again: true });
		const read = table.merge(complete(20, [{ ...a, port: 40_001 }]));
		expect(read.changes).toMatchObject([{ kind: "up", endpoint: { port: 40_001 } }]);
		expect(read.again).toBe(false);
	});

	test("a record that is older than what is known changes nothing", () => {
		const table = createTable();
		const a = listenerOf(1, 10);
		table.fold([listen(a), close(a, 20)]);
		expect(table.fold([listen(a)]).changes).toEqual([]);
		table.fold([listen(listenerOf(1, 30))]);
		expect(table.fold([close(a, 20)]).changes).toEqual([]);
		expect(table.sockets()).toHaveLength(1);
	});
});

describe("a stop signal", () => {
	const SIGTERM = 15;
	const SIGQUIT = 3;
	const told = (...stops: [signal: number, atNs: number][]) => new Map(stops);
	const stoppingOf = (table: ListenerTable) => table.endpoints().map(({ stopping }) => stopping);

	test("to the process that listens marks its endpoint, and that is a change", () => {
		const table = createTable();
		table.fold([listen(listenerOf(1, 10)), listen(listenerOf(2, 10, { port: 81, pid: 1 }))]);
		const { changes } = table.fold([stop(20)]);
		expect(changes).toMatchObject([
			{ kind: "up", isNew: false, endpoint: { port: 80, stopping: told([SIGTERM, 20]) } },
		]);
		expect(table.endpoints().find(({ port }) => port === 81)).not.toHaveProperty("stopping");
	});

	test("to another process, a worker say, changes nothing", () => {
		const table = createTable();
		table.fold([listen(listenerOf(1, 10))]);
		expect(table.fold([stop(20, { pid: 4712 })])).toEqual({ changes: [], again: false });
		expect(stoppingOf(table)).toEqual([undefined]);
	});

	test("to the first process of a pid namespace marks what was opened in it, and nothing elsewhere", () => {
		const table = createTable();
		const inside = { pidNamespace: 4_026_532_200 };
		table.fold([listen(listenerOf(1, 10, { pid: 7, ...inside })), listen(listenerOf(2, 10, { pid: 8, port: 81 }))]);
		table.fold([stop(20, { pid: 6, ...inside })]);
		expect(stoppingOf(table)).toEqual([undefined, undefined]);
		table.fold([stop(30, { pid: 5, isInit: true, ...inside })]);
		expect(stoppingOf(table)).toEqual([told([SIGTERM, 30]), undefined]);
	});

	test("counts for an endpoint once all its sockets were told, from the last one on", () => {
		const table = createTable();
		table.fold([listen(listenerOf(1, 10, { pid: 1 })), listen(listenerOf(2, 11, { pid: 2 }))]);
		table.fold([stop(20, { pid: 1 })]);
		expect(stoppingOf(table)).toEqual([undefined]);
		table.fold([stop(30, { pid: 2 })]);
		expect(stoppingOf(table)).toEqual([told([SIGTERM, 30])]);
	});

	test("counts once the sockets that were not told are closed", () => {
		const table = createTable();
		const spared = listenerOf(2, 11, { pid: 2 });
		table.fold([listen(listenerOf(1, 10, { pid: 1 })), listen(spared), stop(20, { pid: 1 })]);
		expect(stoppingOf(table)).toEqual([undefined]);
		table.fold([close(spared, 30)]);
		expect(stoppingOf(table)).toEqual([told([SIGTERM, 20])]);
	});

	test("does not mark a socket that listens only after it, which keeps the whole endpoint from stopping", () => {
		const table = createTable();
		table.fold([listen(listenerOf(1, 10)), stop(20), listen(listenerOf(2, 30))]);
		expect(stoppingOf(table)).toEqual([undefined]);
		table.fold([stop(25)]);
		expect(stoppingOf(table)).toEqual([undefined]);
	});

	test("is kept through reads, a port or another backlog that they bring, and other signals", () => {
		const table = createTable();
		const a = listenerOf(1, 10, { port: 0 });
		table.fold([listen(a), stop(20), stop(30, { signal: SIGQUIT })]);
		const row = { ...a, port: 40_001 };
		table.merge(complete(40, [row]));
		table.merge(complete(50, []));
		table.merge(complete(60, [{ ...row, backlog: 511 }]));
		expect(stoppingOf(table)).toEqual([told([SIGTERM, 20], [SIGQUIT, 30])]);
	});

	test("told again counts from then on, an older one told late does not", () => {
		const table = createTable();
		table.fold([listen(listenerOf(1, 10)), stop(40)]);
		expect(table.fold([stop(50)]).changes).toMatchObject([{ endpoint: { stopping: told([SIGTERM, 50]) } }]);
		table.fold([stop(40)]);
		expect(stoppingOf(table)).toEqual([told([SIGTERM, 50])]);
	});

	test("is forgotten with the close, and with a newer listen whose close was lost", () => {
		const table = createTable();
		const a = listenerOf(1, 10);
		table.fold([listen(a), stop(20), close(a, 30), listen(listenerOf(1, 40))]);
		expect(stoppingOf(table)).toEqual([undefined]);
		table.fold([stop(50)]);
		table.merge(complete(70, [listenerOf(1, 60)]));
		expect(stoppingOf(table)).toEqual([undefined]);
	});
});

test("a close is remembered for seconds and not for good, so that a flood of them does not add up", () => {
	const table = createTable();
	const a = listenerOf(1, 10);
	const other = (atNs: number) => table.fold([listen(listenerOf(2, atNs))]);
	table.fold([listen(a), close(a, 20)]);
	other(1 * SECOND);
	table.fold([listen(a)]);
	expect(table.sockets()).toHaveLength(1);
	for (const seconds of [2, 4, 6]) other(seconds * SECOND);
	table.fold([listen(a)]);
	expect(table.sockets()).toHaveLength(2);
});

describe("reads", () => {
	test("one absence is not enough, two in a row are", () => {
		const table = createTable();
		table.fold([listen(listenerOf(1, 10))]);
		expect(table.merge(complete(20, []))).toEqual({ changes: [], again: true });
		expect(table.merge(complete(30, [])).changes).toMatchObject([{ kind: "down" }]);
	});

	test("a second listen() that is told late says nothing against an absence after it", () => {
		const table = createTable();
		const a = listenerOf(1, 10);
		table.fold([listen(a)]);
		table.merge(complete(30, []));
		table.fold([{ kind: "relisten", listener: { ...a, backlog: 256, atNs: 20 } }]);
		table.merge(complete(40, []));
		expect(table.endpoints()).toEqual([]);
	});

	test("a second listen() that came after an absence says that it listens", () => {
		const table = createTable();
		const a = listenerOf(1, 10);
		table.fold([listen(a)]);
		table.merge(complete(30, []));
		table.fold([{ kind: "relisten", listener: { ...a, backlog: 256, atNs: 35 } }]);
		table.merge(complete(40, []));
		expect(table.endpoints()).toHaveLength(1);
	});

	test("an absence that the next read does not confirm counts for nothing", () => {
		const table = createTable();
		const a = listenerOf(1, 10);
		table.fold([listen(a)]);
		for (const rows of [[], [a], []]) table.merge(complete(20, rows));
		expect(table.sockets()).toHaveLength(1);
	});

	test("absence from an incomplete read never removes", () => {
		const table = createTable();
		table.fold([listen(listenerOf(1, 10))]);
		for (const beganNs of [20, 30, 40]) table.merge({ beganNs, complete: false, rows: [] });
		expect(table.sockets()).toHaveLength(1);
	});

	test("a read that began before the listen says nothing about it", () => {
		const table = createTable();
		table.fold([listen(listenerOf(1, 10))]);
		table.merge(complete(5, []));
		table.merge(complete(6, []));
		expect(table.sockets()).toHaveLength(1);
	});

	test("a row that is just going does not revive what closed, one that is still there a second later does", () => {
		const table = createTable();
		const a = listenerOf(1, 10);
		table.fold([listen(a), close(a, 20)]);
		table.merge(complete(21, [a]));
		expect(table.sockets()).toEqual([]);
		table.merge(complete(20 + SECOND, [a]));
		expect(table.sockets()).toEqual([a]);
	});

	test("a row with a newer listen revives at once", () => {
		const table = createTable();
		const a = listenerOf(1, 10);
		table.fold([listen(a), close(a, 20)]);
		table.merge(complete(40, [listenerOf(1, 30)]));
		expect(table.sockets()).toHaveLength(1);
	});

	test("another backlog is a change of the endpoint", () => {
		const table = createTable();
		const a = listenerOf(1, 10);
		table.fold([listen(a)]);
		const { changes } = table.merge(complete(20, [{ ...a, backlog: 511 }]));
		expect(changes).toMatchObject([{ kind: "up", isNew: false, endpoint: { sockets: [{ backlog: 511 }] } }]);
		expect(table.merge(complete(30, [{ ...a, backlog: 511 }])).changes).toEqual([]);
	});

	test("a read that tells nothing new leaves the very same endpoints; one that does, those that it does not concern", () => {
		const table = createTable();
		const [a, b] = [listenerOf(1, 10), listenerOf(2, 11, { port: 81 })];
		table.fold([listen(a), listen(b)]);
		const [first, second] = table.endpoints();
		table.merge(complete(20, [{ ...a }, { ...b }]));
		expect(table.endpoints()[0]).toBe(first);
		expect(table.endpoints()[1]).toBe(second);
		table.merge(complete(30, [{ ...a, backlog: 511 }, { ...b }]));
		expect(table.endpoints().find(({ port }) => port === 80)).not.toBe(first);
		expect(table.endpoints().find(({ port }) => port === 81)).toBe(second);
	});
});

/**
 * A kernel with a few sockets, its table of rows, and a ring buffer that loses and repeats records. Sockets that
 * listened before the sensor came are in the rows as the seed left them, or missed by it (in flight between processes).
 */
type Op =
	| { readonly op: "open" | "close"; readonly socket: number }
	/** A stop signal to the process that opened a socket. */
	| { readonly op: "stop"; readonly socket: number }
	| { readonly op: "deliver" | "lose" | "repeat"; readonly count: number }
	/** A read, with changes of the kernel between its stamp and its rows. */
	| { readonly op: "read"; readonly during: readonly { readonly op: "open" | "close"; readonly socket: number }[] }
	| { readonly op: "wait"; readonly ns: number };

const change = fc.record({ op: fc.constantFrom("open" as const, "close" as const), socket: fc.nat(5) });
const ops: fc.Arbitrary<Op[]> = fc.array(
	fc.oneof(
		{ weight: 5, arbitrary: change },
		{
			weight: 3,
			arbitrary: fc.record({ op: fc.constantFrom("deliver", "lose", "repeat"), count: fc.integer({ min: 1, max: 4 }) }),
		},
		{ weight: 1, arbitrary: fc.record({ op: fc.constant("stop"), socket: fc.nat(5) }) },
		{ weight: 2, arbitrary: fc.record({ op: fc.constant("read"), during: fc.array(change, { maxLength: 2 }) }) },
		{ weight: 1, arbitrary: fc.record({ op: fc.constant("wait"), ns: fc.integer({ min: 1, max: 2 * SECOND }) }) },
	) as fc.Arbitrary<Op>,
	{ maxLength: 60 },
);

function run(script: readonly Op[], seeded: readonly number[], missedBySeed: readonly number[]) {
	const table = createTable();
	const rows = new Map<number, Listener>();
	const live = new Map<number, Listener>();
	/** When the process of a socket was last told to stop. */
	const stopped = new Map<number, number>();
	let queue: KernelEvent[] = [];
	let delivered: KernelEvent[] = [];
	let now = 1000;
	// two sockets share each port, as an SO_REUSEPORT group does
	const make = (socket: number) => listenerOf(socket, ++now, { port: 8000 + (socket >> 1), pid: 100 + socket });

	const apply = ({ op, socket }: { op: "open" | "close"; socket: number }) => {
		const open = live.get(socket);
		if (op === "open" && open === undefined) {
			const listener = make(socket);
			live.set(socket, listener);
			rows.set(socket, listener);
			queue.push(listen(listener));
		} else if (op === "close" && open !== undefined) {
			live.delete(socket);
			rows.delete(socket);
			queue.push(close(open, ++now));
		}
	};
	/** Whether a read is wanted: the sensor asks for one after a loss, the table when it has doubts. */
	let wanted = false;
	const fold = (events: readonly KernelEvent[]) => {
		const { again } = table.fold(events);
		wanted ||= again;
	};
	const read = (during: readonly { op: "open" | "close"; socket: number }[]) => {
		const beganNs = ++now;
		for (const step of during) apply(step);
		const known = new Set(ids(table.sockets()));
		wanted = table.merge(complete(beganNs, [...rows.values()])).again;
		const after = new Set(ids(table.sockets()));
		for (const [socket, listener] of live) {
			if (known.has(listener.socket) && !missedBySeed.includes(socket)) expect(after).toContain(listener.socket);
		}
	};

	for (const socket of [...seeded, ...missedBySeed]) {
		const listener = make(socket);
		live.set(socket, listener);
		if (!missedBySeed.includes(socket)) rows.set(socket, listener);
	}
	read([]);
	for (const step of script) {
		switch (step.op) {
			case "open":
			case "close":
				apply(step);
				break;
			case "stop":
				stopped.set(step.socket, ++now);
				queue.push(stop(now, { pid: 100 + step.socket }));
				break;
			case "deliver":
				delivered = queue.splice(0, step.count);
				fold(delivered);
				break;
			case "lose":
				// at the tail: a ring buffer that is full has no room for what is new
				if (queue.splice(-step.count).length > 0) wanted = true;
				break;
			case "repeat":
				fold(delivered.slice(0, step.count));
				break;
			case "read":
				read(step.during);
				break;
			case "wait":
				now += step.ns;
				// what is repeated comes again at once, or not at all
				delivered = [];
				break;
			default:
				step satisfies never;
		}
	}
	return {
		table,
		rows,
		/** The ports whose sockets were all told to stop since they listen, and when the last one was. */
		stoppingPorts: () => {
			const ports = new Map<number, number>();
			for (const { port } of rows.values()) {
				const sockets = [...rows].filter(([, row]) => row.port === port);
				const times = sockets.flatMap(([socket, { atNs }]) =>
					(stopped.get(socket) ?? 0) > atNs ? [stopped.get(socket) ?? 0] : [],
				);
				if (times.length === sockets.length) ports.set(port, Math.max(...times));
			}
			return ports;
		},
		deliverRest: () => {
			fold(queue);
			queue = [];
		},
		/** Reads as long as one is wanted; bounded, so that a table that always wants another fails. */
		readWhileWanted: () => {
			for (let i = 0; i < 5 && wanted; i++) {
				now += SECOND / 4;
				read([]);
			}
			return !wanted;
		},
		resync: () => {
			for (let i = 0; i < 2; i++) {
				now += SECOND;
				read([]);
			}
		},
	};
}

const seeds = fc.tuple(
	fc.uniqueArray(fc.nat(5), { maxLength: 3 }),
	fc.uniqueArray(fc.integer({ min: 6, max: 8 }), { maxLength: 2 }),
);

describe("whatever is lost, repeated or late", () => {
	test("after a resync the table equals the kernel", () => {
		fc.assert(
			fc.property(ops, seeds, fc.boolean(), (script, [seeded, missed], restArrives) => {
				const { table, rows, deliverRest, resync } = run(script, seeded, missed);
				if (restArrives) deliverRest();
				resync();
				expect(ids(table.sockets())).toEqual(ids([...rows.values()]));
				expect(new Set(table.endpoints().map(({ port }) => port))).toEqual(
					new Set([...rows.values()].map(({ port }) => port)),
				);
			}),
			{ numRuns: 2000 },
		);
	});

	test("the reads that were asked for are enough, whenever they happen: no resync is needed", () => {
		fc.assert(
			fc.property(ops, seeds, (script, [seeded, missed]) => {
				const { table, rows, deliverRest, readWhileWanted } = run(script, seeded, missed);
				deliverRest();
				expect(readWhileWanted()).toBe(true);
				expect(ids(table.sockets())).toEqual(ids([...rows.values()]));
			}),
			{ numRuns: 5000 },
		);
	});

	test("without loss, the events alone are enough", () => {
		const lossless = ops.map((script) => script.filter(({ op }) => op !== "lose"));
		fc.assert(
			fc.property(lossless, fc.uniqueArray(fc.nat(5), { maxLength: 3 }), (script, seeded) => {
				const { table, rows, stoppingPorts, deliverRest } = run(script, seeded, []);
				deliverRest();
				expect(ids(table.sockets())).toEqual(ids([...rows.values()]));
				const stopping = table
					.endpoints()
					.flatMap((e) => (e.stopping === undefined ? [] : [[e.port, e.stopping.get(15)]]));
				expect(stopping.sort()).toEqual([...stoppingPorts()].sort());
			}),
			{ numRuns: 2000 },
		);
	});

	test("records that are handed on out of order between sockets end in the same table", () => {
		fc.assert(
			fc.property(fc.array(change, { maxLength: 30 }), fc.infiniteStream(fc.nat()), (changes, choices) => {
				const queues = new Map<number, KernelEvent[]>();
				const open = new Map<number, Listener>();
				let now = 0;
				for (const { op, socket } of changes) {
					const listener = open.get(socket);
					const queue = queues.get(socket) ?? [];
					queues.set(socket, queue);
					if (op === "open" && listener === undefined) {
						const opened = listenerOf(socket, ++now, { port: 8000 + socket });
						open.set(socket, opened);
						queue.push(listen(opened));
					} else if (op === "close" && listener !== undefined) {
						open.delete(socket);
						queue.push(close(listener, ++now));
					}
				}
				const table = createTable();
				for (;;) {
					const waiting = [...queues.values()].filter((queue) => queue.length > 0);
					const event = waiting[(choices.next().value ?? 0) % Math.max(1, waiting.length)]?.shift();
					if (event === undefined) break;
					table.fold([event]);
				}
				expect(ids(table.sockets())).toEqual(ids([...open.values()]));
			}),
		);
	});
});
