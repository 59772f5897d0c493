import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { backendId } from "../../../src/backends/backend.js";
import { type Change, createHistory, type Departed } from "../../../src/explain/history.js";
import { type EndpointKey, endpointKey, netnsKey } from "../../../src/listeners/ids.js";

const keyOf = (port: number): EndpointKey => endpointKey(netnsKey("7"), "0.0.0.0", port);

const told = (atMs: number): Change => ({ kind: "stopping", atMs, signal: 15 });
const listened = (atMs: number): Change => ({
	kind: "listened",
	atMs,
	pid: 1,
	comm: "nginx",
	backlog: 5,
	count: 1,
	isUnmatched: false,
});
const sockets = (atMs: number, count: number): Change => ({
	kind: "sockets",
	atMs,
	pid: 1,
	comm: "nginx",
	backlog: 5,
	count,
});
const departed = (port: number): Departed => ({
	key: keyOf(port),
	address: "0.0.0.0",
	port,
	pid: 1,
	identity: { comm: "nginx", hostname: "a", netnsInode: 7 },
	backends: [],
	sinceMs: 1,
	closedMs: 2,
});

const small = { changes: 3, endpoints: 2, total: 4 };
const limits = { matched: small, unmatched: small, elsewhere: small };

describe("the history", () => {
	test("keeps the last twenty changes of an endpoint, in the order of time", () => {
		const history = createHistory();
		for (let atMs = 30; atMs > 0; atMs--) history.record(keyOf(80), told(atMs));
		const times = history.of(keyOf(80)).map(({ atMs }) => atMs);
		expect(times).toHaveLength(20);
		expect(times).toEqual([...times].sort((a, b) => a - b));
		expect(history.of(keyOf(81))).toEqual([]);
	});

	test("forgets the endpoints whose last change is longest ago", () => {
		const history = createHistory(limits);
		history.record(keyOf(1), told(1));
		history.record(keyOf(2), told(2));
		history.record(keyOf(1), told(3));
		history.record(keyOf(3), told(4));
		expect([1, 2, 3].map((port) => history.of(keyOf(port)).length)).toEqual([2, 0, 1]);
	});

	test("keeps apart what no service wants, so that it pushes out nothing else", () => {
		const history = createHistory(limits);
		history.record(keyOf(80), told(1));
		for (let port = 1000; port < 1100; port++) history.record(keyOf(port), told(port), true);
		expect(history.of(keyOf(80))).toEqual([told(1)]);
		expect(history.of(keyOf(1099))).toEqual([told(1099)]);
		expect(history.of(keyOf(1000))).toEqual([]);
		history.record(keyOf(80), told(2), true);
		expect(history.of(keyOf(80))).toEqual([told(1), told(2)]);
	});

	test("keeps apart what is on other hosts, and tells which of it is no more", () => {
		const history = createHistory(limits);
		history.record(keyOf(80), told(1));
		const backend = (port: number, state: "out" | "gone", atMs: number) => {
			const place = { service: "web", id: backendId("10.0.0.1", port) };
			const change = { kind: "backend", ...place, atMs, state, held: false, reason: "it is so" } as const;
			history.recordElsewhere(place, change);
			return change;
		};
		for (let port = 1000; port < 1100; port++) backend(port, "out", port);
		const [out, gone] = [backend(1, "out", 2000), backend(2, "gone", 2001)];
		expect(history.of(keyOf(80))).toEqual([told(1)]);
		expect(history.elsewhere({ service: "web", id: "10.0.0.1:1" })).toEqual([out]);
		expect(history.elsewhere({ service: "web", id: "10.0.0.1:1000" })).toEqual([]);
		expect(history.goneElsewhere()).toEqual([gone]);
	});

	test("remembers who closed until it listens again, whoever wants it then", () => {
		const history = createHistory();
		history.depart(departed(80));
		history.depart(departed(81), true);
		expect(history.departed().map(({ port }) => port)).toEqual([80, 81]);
		history.record(keyOf(80), listened(3));
		expect(history.departed().map(({ port }) => port)).toEqual([81]);
		history.record(keyOf(81), listened(4));
		expect(history.departed()).toEqual([]);
	});

	test("tells of a prefork server's sockets how they end up, once for each change of another kind between", () => {
		const history = createHistory();
		for (const change of [listened(1), sockets(2, 2), sockets(3, 3), told(4), sockets(5, 2)]) {
			history.record(keyOf(80), change);
		}
		expect(history.of(keyOf(80))).toEqual([listened(1), sockets(3, 3), told(4), sockets(5, 2)]);
	});

	test("never holds more than its bounds, whatever comes", () => {
		const port = fc.integer({ min: 1, max: 5 });
		const change = fc.record({
			port,
			atMs: fc.nat(100),
			kind: fc.constantFrom("told", "sockets", "listened", "depart"),
		});
		fc.assert(
			fc.property(fc.array(change, { maxLength: 60 }), (all) => {
				const history = createHistory(limits);
				for (const { port: of, atMs, kind } of all) {
					if (kind === "depart") history.depart(departed(of));
					else
						history.record(
							keyOf(of),
							kind === "told" ? told(atMs) : kind === "sockets" ? sockets(atMs, of) : listened(atMs),
						);
				}
				const kept = [1, 2, 3, 4, 5].map((of) => history.of(keyOf(of)).length);
				expect(kept.filter((count) => count > 0).length).toBeLessThanOrEqual(small.endpoints);
				expect(Math.max(...kept)).toBeLessThanOrEqual(small.changes);
				expect(kept.reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(small.total);
				expect(history.departed().length).toBeLessThanOrEqual(small.endpoints);
			}),
		);
	});
});
