import type { Logger } from "pino";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { backendId, type DesiredSet } from "../../../src/backends/backend.js";
import { SolistendError } from "../../../src/errors.js";
import type { Driver, OperatorChange, Outcome, Plan, ServerAddress, Taken } from "../../../src/proxies/driver.js";
import { type Loop, openLoop, type ProxyStatus } from "../../../src/proxies/loop.js";
import { proxyConfig, web } from "../../desired.js";

/** The addresses of a desired set. */
type Actual = readonly string[];

const addressesOf = (desired: DesiredSet): string[] =>
	desired.flatMap(({ backends }) => backends.map(({ address }) => address));

/** A proxy in memory, whose every change is a reload. */
class FakeDriver implements Driver<Actual, Actual> {
	live: Actual = [];
	unreachable: string | undefined;
	/** What the next runs come to, one after the other; then they work. */
	failures: string[] = [];
	readError: string | undefined;
	reloads = true;
	closed = false;
	/** When each run began, and what it applied. */
	runs: { atMs: number; step: Actual }[] = [];
	reads = 0;
	/** What somebody else did, as the next reads tell. */
	byOthers: OperatorChange[] = [];
	/** Held back until this resolves. */
	gate: Promise<void> | undefined;

	async read(): Promise<Actual> {
		this.reads += 1;
		if (this.readError !== undefined) throw new SolistendError("proxy", this.readError);
		return this.live;
	}

	serversIn(): readonly ServerAddress[] {
		return [];
	}

	serversOf(): readonly ServerAddress[] {
		return [];
	}

	take(): Taken {
		return { byOthers: this.byOthers, isSame: false };
	}

	plan(actual: Actual, desired: DesiredSet): Plan<Actual> {
		const wanted = addressesOf(desired);
		const left = actual.filter((address) => !wanted.includes(address));
		const joined = wanted.filter((address) => !actual.includes(address));
		const differs = left.length + joined.length > 0;
		return {
			steps: differs ? [wanted] : [],
			diff: { joined, left },
			reload: differs && this.reloads,
			...(this.unreachable !== undefined && { unreachable: this.unreachable }),
		};
	}

	describe(step: Actual): string {
		return `set ${step.join()}`;
	}

	async run([step = []]: readonly Actual[], signal: AbortSignal): Promise<Outcome> {
		this.runs.push({ atMs: performance.now(), step });
		if (this.gate !== undefined) {
			await Promise.race([
				this.gate,
				new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
			]);
		}
		const failure = this.failures.shift();
		if (failure !== undefined) {
			const error = new SolistendError("proxy", failure);
			return { kind: "failed", stage: "reload", error, serving: "the old one", stagesMs: { reload: 5 } };
		}
		this.live = step;
		return { kind: "applied", stagesMs: { swap: 1, reload: 5 } };
	}

	async close(): Promise<void> {
		this.closed = true;
	}
}

let lines: Record<string, unknown>[];
let log: Logger;
let driver: FakeDriver;
let desired: DesiredSet | undefined;
let loop: Loop | undefined;
let statuses: ProxyStatus[];
let operator: OperatorChange[];

beforeEach(() => {
	vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
	lines = [];
	log = pino(
		{ base: null, timestamp: false, level: "trace" },
		{ write: (line: string) => void lines.push(JSON.parse(line)) },
	);
	driver = new FakeDriver();
	desired = [];
	statuses = [];
	operator = [];
});

afterEach(async () => {
	await loop?.close();
	loop = undefined;
	expect(vi.getTimerCount()).toBe(0);
	vi.useRealTimers();
});

async function open(settings: object = {}): Promise<Loop> {
	loop = openLoop({
		proxy: proxyConfig({ reloadInterval: "2s", ...settings }),
		driver,
		desired: () => desired,
		backend: ({ service, id }) =>
			desired?.find(({ name }) => name === service)?.backends.find((backend) => backend.id === id),
		onOperator: (changes) => operator.push(...changes),
		settle: { quiet: 100, max: 2000 },
		log,
		onChange: (status) => statuses.push(status),
		random: () => 0.5,
	});
	await vi.advanceTimersByTimeAsync(0);
	return loop;
}

function change(...addresses: string[]): void {
	const removal = desired === undefined || addressesOf(desired).some((address) => !addresses.includes(address));
	desired = web(...addresses);
	const atMs = performance.now();
	loop?.notify({ atMs, removal, touched: undefined, sinceKernelMs: () => performance.now() - atMs + 0.5 });
}

const elapse = (ms: number) => vi.advanceTimersByTimeAsync(ms);
const messages = () => lines.map(({ msg }) => msg);

describe("the loop of a proxy", () => {
	test("looks at once, and does nothing when all is as it should be", async () => {
		desired = web("10.0.0.1");
		driver.live = ["10.0.0.1"];
		await open();
		expect(driver.reads).toBe(1);
		expect(driver.runs).toEqual([]);
		expect(loop?.status).toEqual({ state: "applied" });
		expect(lines).toEqual([]);
	});

	test("does nothing while the desired set is unknown", async () => {
		desired = undefined;
		driver.live = ["10.0.0.1"];
		await open();
		loop?.notify({ atMs: performance.now(), removal: true, touched: undefined });
		await elapse(60_000);
		expect(driver.reads).toBe(0);
		expect(loop?.status).toEqual({ state: "starting" });
		change("10.0.0.2");
		await elapse(0);
		expect(driver.live).toEqual(["10.0.0.2"]);
	});

	test("applies the first change after quiet at once, and says so in one line", async () => {
		await open();
		await elapse(1000);
		change("10.0.0.1");
		await elapse(0);
		expect(driver.live).toEqual(["10.0.0.1"]);
		expect(lines).toEqual([
			{
				level: 30,
				proxy: "edge",
				joined: ["10.0.0.1"],
				left: [],
				reload: true,
				stagesMs: { settle: 0, read: 0, render: 0, swap: 1, reload: 5 },
				totalMs: 0,
				sinceKernelMs: 0.5,
				msg: "applied",
			},
		]);
	});

	test("gathers what follows, and applies the newest set", async () => {
		await open({ reloadInterval: "0s" });
		await elapse(1000);
		change("10.0.0.1");
		await elapse(40);
		change("10.0.0.1", "10.0.0.2");
		await elapse(40);
		change("10.0.0.3");
		await elapse(99);
		expect(driver.live).toEqual(["10.0.0.1"]);
		await elapse(1);
		expect(driver.live).toEqual(["10.0.0.3"]);
		expect(driver.runs).toHaveLength(2);
		expect(lines.at(-1)).toMatchObject({ stagesMs: { settle: 140 }, totalMs: 140, sinceKernelMs: 140.5 });
	});

	test("follows a settle policy that changes", async () => {
		await open({ reloadInterval: "0s" });
		loop?.setSettle({ quiet: 5000, max: 10_000 });
		change("10.0.0.1");
		await elapse(4999);
		expect(driver.runs).toHaveLength(0);
		loop?.setSettle({ quiet: 10, max: 10 });
		await elapse(0);
		expect(driver.runs).toHaveLength(1);
	});

	test("applies what changes while it is busy, after that", async () => {
		await open({ reloadInterval: "0s" });
		await elapse(1000);
		let release = () => {};
		driver.gate = new Promise((resolve) => {
			release = resolve;
		});
		change("10.0.0.1");
		await elapse(500);
		change("10.0.0.2");
		await elapse(500);
		expect(driver.runs).toHaveLength(1);
		release();
		await elapse(0);
		expect(driver.runs.map(({ step }) => step)).toEqual([["10.0.0.1"], ["10.0.0.2"]]);
		expect(lines.map(({ totalMs }) => totalMs)).toEqual([1000, 500]);
	});
});

describe("reloads are limited", () => {
	test("to one per interval for joins, which are then applied together", async () => {
		await open();
		await elapse(1000);
		change("10.0.0.1");
		await elapse(500);
		change("10.0.0.1", "10.0.0.2");
		await elapse(500);
		change("10.0.0.1", "10.0.0.2", "10.0.0.3");
		await elapse(999);
		expect(driver.runs).toHaveLength(1);
		// At the start, for the first join, and for the second; the third has no need.
		expect(driver.reads).toBe(3);
		await elapse(1);
		expect(driver.runs.map(({ atMs }) => atMs - (driver.runs[0]?.atMs ?? 0))).toEqual([0, 2000]);
		expect(driver.live).toHaveLength(3);
		expect(lines.at(-1)).toMatchObject({ totalMs: 1500, stagesMs: { settle: 1500 } });
	});

	test("but a removal uses the burst", async () => {
		desired = web("10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4");
		driver.live = addressesOf(desired);
		await open();
		for (const left of [3, 2, 1, 0]) {
			await elapse(200);
			change(...["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"].slice(0, left));
		}
		await elapse(0);
		expect(driver.runs).toHaveLength(3);
		await elapse(2000);
		expect(driver.runs).toHaveLength(4);
		expect(driver.live).toEqual([]);
	});

	test("and a removal does not wait behind a join that waits", async () => {
		desired = web("10.0.0.1");
		driver.live = ["10.0.0.1"];
		await open();
		await elapse(1000);
		change("10.0.0.1", "10.0.0.2");
		await elapse(200);
		change("10.0.0.1", "10.0.0.2", "10.0.0.3");
		await elapse(200);
		expect(driver.runs).toHaveLength(1);
		change("10.0.0.2", "10.0.0.3");
		await elapse(0);
		expect(driver.live).toEqual(["10.0.0.2", "10.0.0.3"]);
	});

	test("and what needs no reload is not limited", async () => {
		driver.reloads = false;
		await open();
		for (const last of [1, 2, 3, 4, 5]) {
			await elapse(200);
			change(`10.0.0.${last}`);
			await elapse(0);
			expect(driver.live).toEqual([`10.0.0.${last}`]);
		}
	});
});

describe("a backend that has only just joined", () => {
	/** As the pipeline tells it: by name. */
	function touch(...addresses: string[]): void {
		const all = new Set([...addressesOf(desired ?? []), ...addresses]);
		const removal = addressesOf(desired ?? []).some((address) => !addresses.includes(address));
		desired = web(...addresses);
		const atMs = performance.now();
		const touched = [...all].map((address) => ({ service: "web", id: backendId(address, 80) }));
		loop?.notify({ atMs, removal, touched, sinceKernelMs: () => performance.now() - atMs + 0.5 });
	}

	test("costs a reload once it was there for as long as changes settle, and the time since then counts", async () => {
		await open();
		await vi.advanceTimersByTimeAsync(1000);
		touch("10.0.0.1");
		await vi.advanceTimersByTimeAsync(99);
		expect(driver.runs).toEqual([]);
		await vi.advanceTimersByTimeAsync(1);
		expect(driver.runs.map(({ step }) => step)).toEqual([["10.0.0.1"]]);
		expect(lines.at(-1)).toMatchObject({ msg: "applied", reload: true, sinceKernelMs: 100.5 });
	});

	test("and is gone before that costs none, alone and among others", async () => {
		await open();
		await vi.advanceTimersByTimeAsync(1000);
		touch("10.0.0.1");
		await vi.advanceTimersByTimeAsync(50);
		touch();
		await vi.advanceTimersByTimeAsync(5000);
		expect(driver.runs).toEqual([]);

		touch("10.0.0.1");
		await vi.advanceTimersByTimeAsync(3000);
		touch("10.0.0.1", "10.0.0.2");
		await vi.advanceTimersByTimeAsync(10);
		touch("10.0.0.2");
		await vi.advanceTimersByTimeAsync(80);
		touch();
		await vi.advanceTimersByTimeAsync(5000);
		expect(driver.runs.map(({ step }) => step)).toEqual([["10.0.0.1"], []]);
	});

	test("goes with a reload for others that was gathered, which waits for it once", async () => {
		await open({ reloadInterval: "0s" });
		await vi.advanceTimersByTimeAsync(1000);
		// Changes come all the time, so that only `settle.max` ends the gathering: 2 s after the second one.
		touch("10.0.0.1");
		await vi.advanceTimersByTimeAsync(50);
		const secondMs = performance.now();
		for (let i = 0; i < 50; i++) {
			touch("10.0.0.1", `10.0.1.${i}`);
			await vi.advanceTimersByTimeAsync(50);
		}
		// Who was there then has listened for 50 ms, and would have gone with it, had it stayed.
		expect(driver.runs.map(({ step, atMs }) => [step, atMs - secondMs])).toEqual([[["10.0.0.1"], 2050]]);
		await vi.advanceTimersByTimeAsync(1000);
		expect(driver.live).toEqual(["10.0.0.1", "10.0.1.49"]);
		driver.runs = [];

		touch("10.0.0.1");
		await vi.advanceTimersByTimeAsync(0);
		for (let i = 0; i < 40; i++) {
			touch("10.0.0.1", ...(i < 39 ? ["10.0.0.3", `10.0.1.${i}`] : ["10.0.0.3", "10.0.0.4"]));
			await vi.advanceTimersByTimeAsync(50);
		}
		await vi.advanceTimersByTimeAsync(5000);
		expect(driver.runs.map(({ step }) => step)).toEqual([["10.0.0.1"], ["10.0.0.1", "10.0.0.3", "10.0.0.4"]]);
	});

	test("costs no reload of its own at the end of a thousand changes, and all that stay are in", async () => {
		const gone = new Set<number>();
		const all = Array.from({ length: 20 }, (_, index) => index);
		const up = () => all.filter((index) => !gone.has(index)).map((index) => `10.0.0.${index}`);
		desired = web(...up());
		driver.live = up();
		await open();
		await vi.advanceTimersByTimeAsync(1000);
		for (let i = 0; i < 1000; i++) {
			const index = (i * 7 + (i % 3)) % all.length;
			if (!gone.delete(index)) gone.add(index);
			touch(...up());
			await vi.advanceTimersByTimeAsync(10);
		}
		await vi.advanceTimersByTimeAsync(5000);
		expect(driver.live).toEqual(up());
		expect(driver.runs).toHaveLength(6);
	});

	test("does not hold up a removal that is the first change after quiet", async () => {
		desired = web("10.0.0.1");
		driver.live = ["10.0.0.1"];
		await open();
		await vi.advanceTimersByTimeAsync(1000);
		touch("10.0.0.2");
		await vi.advanceTimersByTimeAsync(0);
		expect(driver.runs.map(({ step }) => step)).toEqual([[]]);
		await vi.advanceTimersByTimeAsync(2000);
		expect(driver.runs.map(({ step }) => step)).toEqual([[], ["10.0.0.2"]]);
	});

	test("joins at once where that takes no reload", async () => {
		driver.reloads = false;
		await open();
		await vi.advanceTimersByTimeAsync(1000);
		touch("10.0.0.1");
		await vi.advanceTimersByTimeAsync(0);
		expect(driver.runs.map(({ step }) => step)).toEqual([["10.0.0.1"]]);
	});

	test("is not taken for new where the proxy has it already, though it is told again before the first look", async () => {
		driver.live = ["10.0.0.1", "10.0.0.9"];
		loop = undefined;
		desired = web("10.0.0.1");
		const opened = open();
		touch("10.0.0.1");
		await opened;
		expect(driver.runs.map(({ step }) => step)).toEqual([["10.0.0.1"]]);
	});
});

describe("after a failure", () => {
	test("it says what keeps serving, and tries again with growing pauses", async () => {
		driver.failures = ["no", "no", "no"];
		desired = web("10.0.0.1");
		await open({ reloadInterval: "0s" });
		expect(lines).toEqual([
			{ level: 50, proxy: "edge", reason: "no", serving: "the old one", retryInMs: 1000, msg: "not applied" },
		]);
		expect(loop?.status).toEqual({ state: "failed", why: "no", serving: "the old one" });
		await elapse(7000);
		expect(driver.runs.map(({ atMs }) => atMs - (driver.runs[0]?.atMs ?? 0))).toEqual([0, 1000, 3000, 7000]);
		expect(driver.live).toEqual(["10.0.0.1"]);
		expect(messages()).toEqual(["not applied", "not applied", "applied", "recovered"]);
		expect(loop?.status).toEqual({ state: "applied" });
	});

	test("a new change tries again, too, and the time since the first one counts", async () => {
		await open({ reloadInterval: "0s" });
		await elapse(1000);
		driver.failures = ["no"];
		change("10.0.0.1");
		await elapse(300);
		change("10.0.0.2");
		await elapse(0);
		expect(driver.live).toEqual(["10.0.0.2"]);
		expect(lines.find(({ msg }) => msg === "applied")).toMatchObject({ totalMs: 300 });
	});

	test("the same failure does not flood the log, another one is told", async () => {
		driver.failures = Array.from({ length: 1000 }, () => "no");
		desired = web("10.0.0.1");
		await open({ reloadInterval: "0s" });
		await elapse(3_600_000);
		expect(driver.runs.length).toBeGreaterThan(100);
		expect(lines.length).toBeLessThan(12);
		expect(lines.map(({ times }) => times).slice(0, 4)).toEqual([undefined, 2, 4, 8]);
		lines.length = 0;
		driver.failures = ["something else"];
		await elapse(30_000);
		expect(lines[0]).toMatchObject({ msg: "not applied", reason: "something else" });
	});

	test("a driver that can't read is a failure like any other", async () => {
		driver.readError = "the disk is gone";
		await open();
		expect(lines).toMatchObject([{ msg: "not applied", reason: "the disk is gone" }]);
		driver.readError = undefined;
		await elapse(1000);
		expect(loop?.status).toEqual({ state: "applied" });
	});
});

describe("a proxy that is not there", () => {
	test("is reported, asked again with growing pauses, and reported when it is back", async () => {
		driver.unreachable = "nobody listens";
		desired = web("10.0.0.1");
		await open();
		expect(lines).toMatchObject([
			{ msg: "applied", reload: true },
			{ msg: "proxy unreachable", level: 40, reason: "nobody listens", retryInMs: 1000 },
		]);
		expect(loop?.status).toEqual({ state: "unreachable", why: "nobody listens" });
		await elapse(1000);
		expect(driver.reads).toBe(2);
		driver.unreachable = undefined;
		await elapse(2000);
		expect(loop?.status).toEqual({ state: "applied" });
		expect(messages().at(-1)).toBe("recovered");
		await elapse(600_000);
		expect(driver.reads).toBe(3);
	});
});

describe("what a person told the proxy itself", () => {
	const word: OperatorChange = { service: "web", id: backendId("10.0.0.1", 80), state: "drain" };

	test("is taken in before anything is planned", async () => {
		driver.byOthers = [word];
		await open();
		expect(operator).toEqual([word]);
	});

	test("is none of our business where the proxy is only observed", async () => {
		driver.byOthers = [word];
		await open({ mode: "observe" });
		loop?.look();
		await elapse(200);
		expect(driver.reads).toBe(2);
		expect(operator).toEqual([]);
	});
});

describe("in observe mode", () => {
	test("it plans and logs, and runs nothing", async () => {
		desired = web("10.0.0.1");
		await open({ mode: "observe" });
		expect(lines).toEqual([
			{ level: 30, proxy: "edge", joined: ["10.0.0.1"], left: [], steps: ["set 10.0.0.1"], msg: "would apply" },
		]);
		expect(loop?.status).toEqual({ state: "observing", steps: ["set 10.0.0.1"] });
		await elapse(500);
		loop?.notify({ atMs: performance.now(), removal: false, touched: undefined });
		await elapse(500);
		expect(lines).toHaveLength(1);
		change("10.0.0.2");
		await elapse(500);
		expect(lines).toHaveLength(2);
		expect(driver.runs).toEqual([]);
	});
});

describe("closing", () => {
	test("ends a run that hangs, and closes the driver", async () => {
		driver.gate = new Promise(() => {});
		desired = web("10.0.0.1");
		const opened = await open();
		expect(driver.runs).toHaveLength(1);
		await opened.close();
		expect(driver.closed).toBe(true);
		expect(lines).toEqual([]);
	});

	test("ends a pause", async () => {
		driver.readError = "no";
		const opened = await open();
		await opened.close();
		expect(driver.closed).toBe(true);
	});
});
