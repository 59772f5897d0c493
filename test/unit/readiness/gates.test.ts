import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Claim } from "../../../src/backends/claims.js";
import { questionOf } from "../../../src/backends/gate.js";
import { createGates, type GateEnd } from "../../../src/readiness/gates.js";
import { backendOf } from "../backends/backend.js";
import { createListeners, ready } from "./questions.js";

beforeEach(() => {
	vi.useFakeTimers();
});
afterEach(() => {
	vi.useRealTimers();
});

function setup({ isIn = () => false, begun = true }: { isIn?: (claim: Claim) => boolean; begun?: boolean } = {}) {
	const listeners = createListeners();
	const ends: GateEnd[] = [];
	const gates = createGates({
		probe: listeners.probe,
		now: () => performance.now(),
		isIn,
		onEnd: (end) => ends.push(end),
	});
	if (begun) gates.begin([]);
	return { listeners, ends, gates };
}

const claimOf = (address = "10.0.0.1", settings: object | undefined = { http: "/healthz" }, service = "web"): Claim => {
	const backend = { ...backendOf(address, { netns: "1", bound: "0.0.0.0", service }) };
	return { backend, asks: questionOf(backend, ready(settings)) };
};
const { endpoint } = claimOf().backend;
const whyOf = (claims: readonly Claim[]) => claims.map(({ gate }) => gate?.why(performance.now()));

test("claims that have nothing to answer pass as they are", () => {
	const { gates } = setup();
	const claims = [{ backend: backendOf("10.0.0.1") }];
	expect(gates.pass(endpoint, claims)).toBe(claims);
	expect(gates.forget(endpoint)).toBe(false);
});

test("one that waits says for what, what it said last and how long it may take, and is in once it answered", async () => {
	const { listeners, ends, gates } = setup();
	listeners.says.set("10.0.0.1:80", "status 503");
	const claim = claimOf();
	const waiting = gates.pass(endpoint, [claim]);
	expect(waiting).toMatchObject([{ backend: claim.backend, gate: { state: "waiting" } }]);
	expect(whyOf(waiting)).toEqual(["waits for GET /healthz at 10.0.0.1:80: not asked yet, 30 s left"]);
	await vi.advanceTimersByTimeAsync(1250);
	expect(whyOf(waiting)).toEqual(["waits for GET /healthz at 10.0.0.1:80: status 503, 28.8 s left"]);
	// the very same gate, so that nothing changed
	expect(gates.pass(endpoint, [claimOf()])[0]?.gate).toBe(waiting[0]?.gate);
	listeners.says.set("10.0.0.1:80", "ready");
	await vi.advanceTimersByTimeAsync(50);
	const backend = { service: "web", id: "10.0.0.1:80" };
	expect(ends).toEqual([{ endpoint, backend, isReady: true, how: "ready after 1.3 s, 14 probes" }]);
	expect(gates.pass(endpoint, [claim])).toEqual([claim]);
	// for as long as the endpoint lives: at another address, after a while without one, and by another rule
	const moved = claimOf("10.0.0.2", { tcp: true });
	expect(gates.pass(endpoint, [moved])).toEqual([moved]);
	expect(gates.pass(endpoint, [])).toEqual([]);
	expect(gates.pass(endpoint, [claim])).toEqual([claim]);
	expect(listeners.asked).toHaveLength(14);
	expect(gates.forget(endpoint)).toBe(true);
	expect(gates.pass(endpoint, [claim])).toMatchObject([{ gate: { state: "waiting" } }]);
	gates.close();
	expect(vi.getTimerCount()).toBe(0);
});

test("one that does not answer in time stays out until it listens again, or has something else to answer", async () => {
	const { listeners, ends, gates } = setup();
	listeners.says.set("10.0.0.1:80", "connection refused");
	const claim = claimOf("10.0.0.1", { http: "/", status: 204, timeout: "1s" });
	gates.pass(endpoint, [claim]);
	await vi.advanceTimersByTimeAsync(1000);
	const how =
		"GET / at 10.0.0.1:80 did not answer 204 within 1 s (last: connection refused; it is asked again when it listens again)";
	expect(ends).toMatchObject([{ isReady: false, how }]);
	const failed = gates.pass(endpoint, [claim]);
	expect(failed).toMatchObject([{ gate: { state: "failed" } }]);
	expect(whyOf(failed)).toEqual([how]);
	expect(vi.getTimerCount()).toBe(0);
	const again = gates.pass(endpoint, [claimOf("10.0.0.1", { tcp: true, timeout: "1s" })]);
	expect(whyOf(again)).toEqual(["waits for a connection to 10.0.0.1:80: not asked yet, 1 s left"]);
	await vi.advanceTimersByTimeAsync(1000);
	expect(ends[1]?.how).toMatch(/^10\.0\.0\.1:80 took no connection within 1 s \(last: connection refused; /);
	gates.forget(endpoint);
	expect(gates.pass(endpoint, [claim])).toMatchObject([{ gate: { state: "waiting" } }]);
	gates.close();
});

test.each([
	["it closes", ({ gates }: ReturnType<typeof setup>) => void gates.forget(endpoint)],
	["it leads nowhere", ({ gates }: ReturnType<typeof setup>) => void gates.pass(endpoint, [])],
	[
		"it need not answer",
		({ gates }: ReturnType<typeof setup>) => void gates.pass(endpoint, [{ backend: claimOf().backend }]),
	],
	[
		"it leads to another service",
		({ gates }: ReturnType<typeof setup>) =>
			void gates.pass(endpoint, [{ backend: claimOf("10.0.0.1", undefined, "api").backend }]),
	],
	["all ends", ({ gates }: ReturnType<typeof setup>) => gates.close()],
])("when %s it is asked no more", async (_, happens) => {
	const story = setup();
	story.gates.pass(endpoint, [claimOf()]);
	await vi.advanceTimersByTimeAsync(100);
	happens(story);
	expect(vi.getTimerCount()).toBe(0);
	await vi.advanceTimersByTimeAsync(100_000);
	expect(story.listeners).toMatchObject({ open: 0, asked: ["10.0.0.1:80"] });
	expect(story.ends).toEqual([]);
});

test("each service has a gate of its own", async () => {
	const { listeners, ends, gates } = setup();
	listeners.says.set("10.0.0.1:80", "status 503");
	const claims = [claimOf(), claimOf("10.0.0.1", { tcp: true }, "api")];
	gates.pass(endpoint, claims);
	await vi.advanceTimersByTimeAsync(10);
	// only one of the two changes
	const other = claimOf("10.0.0.1", { http: "/other" }, "api");
	const [web, api] = gates.pass(endpoint, [claims[0] ?? other, other]);
	expect(whyOf([web ?? other, api ?? other])).toEqual([
		"waits for GET /healthz at 10.0.0.1:80: status 503, 30 s left",
		"waits for GET /other at 10.0.0.1:80: not asked yet, 30 s left",
	]);
	listeners.says.set("10.0.0.1:80", "ready");
	await vi.advanceTimersByTimeAsync(200);
	expect(ends.map(({ backend }) => backend.service).sort()).toEqual(["api", "web"]);
});

test("nobody is asked before it is known what the proxies have, which need not answer", async () => {
	const { listeners, ends, gates } = setup({ begun: false });
	const second = claimOf("10.0.0.2").backend;
	const other = { ...second, endpoint: backendOf("10.0.0.2").endpoint };
	const [served, fresh] = [claimOf(), { backend: other, asks: questionOf(other, ready()) }];
	gates.pass(endpoint, [served]);
	const waiting = gates.pass(other.endpoint, [fresh]);
	await vi.advanceTimersByTimeAsync(60_000);
	expect(listeners.asked).toEqual([]);
	expect(whyOf(waiting)).toEqual(["waits for GET /healthz at 10.0.0.2:80: not asked yet, 30 s left"]);
	listeners.says.set("10.0.0.2:80", "ready");
	expect(gates.begin([served.backend, { service: "api", id: other.id }])).toEqual([endpoint]);
	expect(gates.pass(endpoint, [served])).toEqual([served]);
	await vi.advanceTimersByTimeAsync(0);
	expect(listeners.asked).toEqual(["10.0.0.2:80"]);
	expect(ends).toMatchObject([{ isReady: true, how: "ready after 0 ms, 1 probe" }]);
});

test("one that is in already need not answer, for as long as it lives", () => {
	let isIn = true;
	const { gates } = setup({ isIn: () => isIn });
	const claim = claimOf();
	expect(gates.pass(endpoint, [claim])).toEqual([claim]);
	isIn = false;
	expect(gates.pass(endpoint, [])).toEqual([]);
	expect(gates.pass(endpoint, [claim])).toEqual([claim]);
});

test("after the end nobody is asked any more", () => {
	const { listeners, gates } = setup();
	gates.close();
	gates.pass(endpoint, [claimOf()]);
	expect(listeners.asked).toEqual([]);
	expect(vi.getTimerCount()).toBe(0);
});
