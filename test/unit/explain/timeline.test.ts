import { describe, expect, test } from "vitest";
import { backendId } from "../../../src/backends/backend.js";
import { type Change, createHistory } from "../../../src/explain/history.js";
import { TIMELINE_MS, timelineOf } from "../../../src/explain/timeline.js";
import { endpointKey, netnsKey } from "../../../src/listeners/ids.js";

const keyOf = (address: string) => endpointKey(netnsKey("7"), address, 80);
const id = backendId("10.0.0.1", 80);
const toIso = (ms: number) => new Date(ms).toISOString();

const change = (atMs: number, state: "ready" | "drain" | "gone"): Change => ({
	kind: "backend",
	atMs,
	service: "web",
	id,
	state,
	held: false,
	reason: "it listens",
});

describe("the time line", () => {
	test("has what became of backends, the oldest first, each once although two endpoints lead there", () => {
		const history = createHistory();
		for (const address of ["0.0.0.0", "::"]) {
			history.record(keyOf(address), change(2000, "drain"));
			history.record(keyOf(address), change(1000, "ready"));
			history.record(keyOf(address), { kind: "stopping", atMs: 1900, signal: 15 });
		}
		const { since, entries } = timelineOf(history, 3000, 500, toIso);
		expect(since).toBe(toIso(500));
		expect(entries.map(({ at, backend, state }) => [at, backend, state])).toEqual([
			[toIso(1000), id, "ready"],
			[toIso(2000), id, "drain"],
		]);
	});

	test("goes back no further than it says", () => {
		const history = createHistory();
		history.record(keyOf("0.0.0.0"), change(1000, "ready"));
		history.record(keyOf("0.0.0.0"), change(2000, "gone"));
		const { since, entries } = timelineOf(history, TIMELINE_MS + 1500, 0, toIso);
		expect(since).toBe(toIso(1500));
		expect(entries.map(({ state }) => state)).toEqual(["gone"]);
	});
});
