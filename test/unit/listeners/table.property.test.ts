/**
 * The table against a model of the kernel that delivers as badly as it may: late, twice, in any order across namespaces, with
 * holes anywhere, after a seed with gaps, and with reads at any moment, whole or not.
 */

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Listener, SocketEvent } from "../../../src/listeners/event.js";
import { type EndpointKey, endpointKey, netnsKey } from "../../../src/listeners/ids.js";
import { createTable, type Merged } from "../../../src/listeners/table.js";
import { close, listen, listenerOf } from "./listener.js";

const SECOND = 1e9;
const SOCKETS = 9;
const NAMESPACES = 3;

type Change = { readonly op: "open" | "close" | "relisten"; readonly socket: number };

type Op =
	| Change
	/** Of one namespace, in its order. */
	| { readonly op: "deliver"; readonly netns: number; readonly count: number }
	/** Anywhere in what one namespace has on its way: a full buffer, or a namespace that is limited for a while. */
	| { readonly op: "lose"; readonly netns: number; readonly from: number; readonly count: number }
	/** Something that was delivered before, however long ago. */
	| { readonly op: "repeat"; readonly which: number }
	/**
	 * A read: its stamp, then changes of the kernel, then its rows, then what is delivered before the table has it. One that is
	 * not whole lacks some rows, and says so.
	 */
	| {
			readonly op: "read";
			readonly during: readonly Change[];
			readonly before: readonly { readonly netns: number; readonly count: number }[];
			readonly isWhole: boolean;
	  }
	| { readonly op: "wait"; readonly ns: number };

const socket = fc.nat(SOCKETS - 1);
const netns = fc.nat(NAMESPACES - 1);
const count = fc.integer({ min: 1, max: 4 });
const change: fc.Arbitrary<Change> = fc.record({
	op: fc.constantFrom("open", "open", "close", "close", "relisten"),
	socket,
});
const op: fc.Arbitrary<Op> = fc.oneof(
	{ weight: 6, arbitrary: change },
	{ weight: 4, arbitrary: fc.record({ op: fc.constant("deliver" as const), netns, count }) },
	{ weight: 1, arbitrary: fc.record({ op: fc.constant("lose" as const), netns, from: fc.nat(3), count }) },
	{ weight: 1, arbitrary: fc.record({ op: fc.constant("repeat" as const), which: fc.nat(50) }) },
	{
		weight: 2,
		arbitrary: fc.record({
			op: fc.constant("read" as const),
			during: fc.array(change, { maxLength: 3 }),
			before: fc.array(fc.record({ netns, count }), { maxLength: 2 }),
			isWhole: fc.boolean(),
		}),
	},
	{
		weight: 1,
		arbitrary: fc.record({ op: fc.constant("wait" as const), ns: fc.integer({ min: 1, max: 3 * SECOND }) }),
	},
);

/** Where a socket listens: two each share a port, as an SO_REUSEPORT group does; each third one has no port until a read. */
const placeOf = (number: number) => ({
	netns: netnsKey(String(number % NAMESPACES)),
	port: number % 3 === 2 ? 0 : 8000 + (number >> 1),
	pid: 100 + number,
});

function createModel() {
	const table = createTable();
	const live = new Map<number, Listener>();
	/** The kernel's table of rows; a socket that the seed missed is not in it. */
	const rows = new Map<number, Listener>();
	const queues: SocketEvent[][] = Array.from({ length: NAMESPACES }, () => []);
	const delivered: SocketEvent[] = [];
	/** The endpoints, as whoever follows the changes knows them. */
	const followed = new Set<EndpointKey>();
	let now = 1000;

	const follow = ({ changes }: Merged) => {
		for (const { kind, endpoint } of changes) {
			if (kind === "up") followed.add(endpoint.key);
			else expect(followed.delete(endpoint.key)).toBe(true);
		}
		expect([...followed].sort()).toEqual(
			table
				.endpoints()
				.map(({ key }) => key)
				.sort(),
		);
	};
	const queueOf = (number: number) => queues[number % NAMESPACES] ?? [];
	const send = (number: number, event: SocketEvent) => queueOf(number).push(event);

	const apply = ({ op: what, socket: number }: Change) => {
		const open = live.get(number);
		if (what === "open" && open === undefined) {
			const listener = listenerOf(number, ++now, placeOf(number));
			live.set(number, listener);
			rows.set(number, listener);
			send(number, listen(listener));
		} else if (what === "close" && open !== undefined) {
			live.delete(number);
			rows.delete(number);
			send(number, close(open, ++now));
		} else if (what === "relisten" && open !== undefined) {
			const again = { ...open, backlog: open.backlog + 1 };
			live.set(number, again);
			if (rows.has(number)) rows.set(number, again);
			send(number, { kind: "relisten", listener: { ...again, atNs: ++now } });
		}
	};

	const fold = (events: readonly SocketEvent[]) => {
		delivered.push(...events);
		follow(table.fold(events));
	};
	const deliver = (which: number, most = Number.POSITIVE_INFINITY) => fold(queueOf(which).splice(0, most));

	const read = ({ during, before, isWhole }: Pick<Extract<Op, { op: "read" }>, "during" | "before" | "isWhole">) => {
		const beganNs = ++now;
		// the walk that comes before a read finds the port that the kernel chose
		for (const [number, row] of rows) if (row.port === 0) rows.set(number, { ...row, port: 40_000 + number });
		during.forEach(apply);
		const all = [...rows.values()];
		const got = isWhole ? all : all.filter((_, index) => index % 2 === 0);
		for (const { netns: which, count: most } of before) deliver(which, most);
		follow(table.merge({ beganNs, complete: isWhole, rows: got }));
	};

	return {
		seed(found: readonly number[], missed: readonly number[]) {
			for (const number of new Set([...found, ...missed])) {
				const listener = listenerOf(number, ++now, placeOf(number));
				live.set(number, listener);
				if (!missed.includes(number)) rows.set(number, listener);
			}
			read({ during: [], before: [], isWhole: true });
		},
		run(script: readonly Op[]) {
			for (const step of script) {
				switch (step.op) {
					case "open":
					case "close":
					case "relisten":
						apply(step);
						break;
					case "deliver":
						deliver(step.netns, step.count);
						break;
					case "lose":
						queueOf(step.netns).splice(step.from, step.count);
						break;
					case "repeat":
						if (delivered.length > 0) fold(delivered.slice(step.which % delivered.length).slice(0, 1));
						break;
					case "read":
						read(step);
						break;
					case "wait":
						now += step.ns;
						break;
					default:
						step satisfies never;
				}
			}
		},
		deliverRest() {
			for (const which of queues.keys()) deliver(which);
		},
		repeatAll: () => fold([...delivered]),
		readOnce() {
			now += SECOND;
			read({ during: [], before: [], isWhole: true });
		},
		/** What the table has, and what the kernel has, in comparable words. */
		has: () => table.sockets().map(wordsOf).sort(),
		truth: () => [...rows.values()].map(wordsOf).sort(),
		endpoints: () =>
			table
				.endpoints()
				.map(({ key }) => key)
				.sort(),
		trueEndpoints: () =>
			[...new Set([...rows.values()].map((row) => endpointKey(row.netns, row.address, row.port)))].sort(),
	};
}

const wordsOf = ({ socket: id, netns: where, port, backlog, atNs }: Listener) =>
	`${id} in ${where} at ${port}, backlog ${backlog}, since ${atNs}`;

/** When what is still on its way arrives, seen from the two reads of the resync. */
const REST = ["before", "between", "after", "never"] as const;

describe("however badly it is told", () => {
	test("the table equals the kernel after two reads, and stays equal whatever old comes after", () => {
		fc.assert(
			fc.property(
				fc.array(op, { maxLength: 80 }),
				fc.uniqueArray(socket, { maxLength: 4 }),
				fc.uniqueArray(socket, { maxLength: 2 }),
				fc.constantFrom(...REST),
				(script, found, missed, rest) => {
					const model = createModel();
					model.seed(found, missed);
					model.run(script);
					if (rest === "before") model.deliverRest();
					model.readOnce();
					if (rest === "between") model.deliverRest();
					model.readOnce();
					expect(model.has()).toEqual(model.truth());
					expect(model.endpoints()).toEqual(model.trueEndpoints());
					if (rest === "after") model.deliverRest();
					model.repeatAll();
					expect(model.has()).toEqual(model.truth());
				},
			),
			{ numRuns: 3000 },
		);
	});
});
