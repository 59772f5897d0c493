import { pino } from "pino";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { BackendRef, DesiredSet } from "../../../src/backends/backend.js";
import type { Driver, FastOutcome, Outcome, Plan, Taken } from "../../../src/proxies/driver.js";
import { type Loop, openLoop } from "../../../src/proxies/loop.js";
import { proxyConfig, web } from "../../desired.js";

type Names = readonly string[];
/** A command to the running proxy, or its file. */
type Step = { readonly kind: "live" | "file"; readonly names: Names };

const idsOf = (desired: DesiredSet): string[] => desired.flatMap(({ backends }) => backends.map(({ id }) => id));

/** A proxy in memory that takes commands, and has a file that may take long. */
class FakeProxy implements Driver<Names, Step> {
	live: Names = [];
	file: Names = [];
	/** Whether the fast lane knows what the proxy has: it does after a plan. */
	isKnown = false;
	/** While it is there, nobody gets past it. */
	disk: Promise<void> | undefined;
	isAtDisk = false;
	reads: Promise<void> | undefined;

	async read(): Promise<Names> {
		const { live } = this;
		await this.reads;
		return live;
	}

	serversOf = () => [];
	serversIn = () => [];
	describe = () => "";

	take(live: Names): Taken {
		return { byOthers: [], isSame: live === this.live };
	}

	plan(live: Names, desired: DesiredSet): Plan<Step> {
		this.isKnown = true;
		const names = idsOf(desired);
		return {
			urgent: names.join() === live.join() ? [] : [{ kind: "live", names }],
			steps: names.join() === this.file.join() ? [] : [{ kind: "file", names }],
			diff: { joined: names.filter((id) => !live.includes(id)), left: live.filter((id) => !names.includes(id)) },
			reload: false,
		};
	}

	async run(steps: readonly Step[], signal: AbortSignal): Promise<Outcome> {
		for (const { kind, names } of steps) {
			signal.throwIfAborted();
			if (kind === "live") this.live = names;
			else {
				this.isAtDisk = true;
				const aborted = new Promise((_, reject) => {
					signal.addEventListener("abort", () => reject(signal.reason), { once: true });
				});
				await Promise.race([this.disk, aborted]);
				this.isAtDisk = false;
				this.file = names;
			}
		}
		return { kind: "applied", stagesMs: {} };
	}

	readonly fast = {
		apply: async (
			refs: readonly BackendRef[],
			wanted: (ref: BackendRef) => unknown | undefined,
		): Promise<FastOutcome> => {
			if (!this.isKnown) return { kind: "behind", why: "nothing is known", joined: [], left: [] };
			for (const ref of refs) {
				const others = this.live.filter((id) => id !== ref.id);
				this.live = wanted(ref) === undefined ? others : [...others, ref.id].sort();
			}
			return { kind: "applied", joined: refs.map(({ id }) => id), left: [] };
		},
		follow: () => undefined,
	};

	async close(): Promise<void> {}
}

const A = "10.0.0.1";
const B = "10.0.0.2";
const C = "10.0.0.3";
const at = (...addresses: string[]) => addresses.map((address) => `${address}:80`);

let proxy: FakeProxy;
let desired: DesiredSet;
let loop: Loop | undefined;

beforeEach(() => {
	vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
	proxy = new FakeProxy();
	desired = web(A);
});

afterEach(async () => {
	await loop?.close();
	loop = undefined;
	expect(vi.getTimerCount()).toBe(0);
	vi.useRealTimers();
});

const later = (ms = 0) => vi.advanceTimersByTimeAsync(ms);

async function open(): Promise<void> {
	loop = openLoop({
		proxy: proxyConfig(),
		driver: proxy,
		desired: () => desired,
		backend: ({ service, id }) =>
			desired.find(({ name }) => name === service)?.backends.find((backend) => backend.id === id),
		settle: { quiet: 100, max: 2000 },
		log: pino({ level: "silent" }),
		random: () => 0.5,
	});
	await later();
}

/** Others are desired from now on; those that differ are told of. */
async function change(...addresses: string[]): Promise<void> {
	const before = idsOf(desired);
	desired = web(...addresses);
	const after = idsOf(desired);
	const differ = [...before, ...after].filter((id) => before.includes(id) !== after.includes(id));
	const touched = differ.map((id) => ({ service: "web", id })) as BackendRef[];
	loop?.notify({ atMs: performance.now(), removal: false, touched });
	await later();
}

/** The proxy answers no read until what is returned is called. */
function stallReads(): () => void {
	let answer = () => {};
	proxy.reads = new Promise((resolve) => {
		answer = resolve;
	});
	return () => answer();
}

/** Nothing gets past the disk until what is returned is called. */
function stall(): () => Promise<void> {
	let go = () => {};
	proxy.disk = new Promise((resolve) => {
		go = resolve;
	});
	return async () => {
		proxy.disk = undefined;
		go();
		await later(5000);
	};
}

test("a change goes through while the first round is at a file that takes long", async () => {
	const go = stall();
	await open();
	expect(proxy.isAtDisk).toBe(true);
	expect(proxy.live).toEqual(at(A));

	await change(A, B);

	expect(proxy.live).toEqual(at(A, B));
	expect(loop?.status.state).toBe("starting");
	await go();
	expect(proxy.file).toEqual(at(A, B));
	expect(loop?.status.state).toBe("applied");
});

test("what the fast lane can not do is done by a plan of its own while a round is at the file", async () => {
	await open();
	const go = stall();
	await change(A, B);
	await later(200);
	expect(proxy.isAtDisk).toBe(true);
	// such as after a reload by somebody
	proxy.isKnown = false;

	await change(A, B, C);

	expect(proxy.live).toEqual(at(A, B, C));
	expect(proxy.file).toEqual(at(A));
	await go();
	expect(proxy.file).toEqual(at(A, B, C));
});

test("a look beside the file that ends after the next one has begun is not taken", async () => {
	await open();
	const go = stall();
	await change(A, B);
	await later(200);
	proxy.isKnown = false;
	const answer = stallReads();
	await change(A, C);
	proxy.reads = undefined;
	await go();
	expect(proxy.live).toEqual(at(A, C));
	const plan = vi.spyOn(proxy, "plan");

	answer();
	await later(5000);

	expect(plan).not.toHaveBeenCalled();
	expect(proxy.live).toEqual(at(A, C));
	expect(proxy.file).toEqual(at(A, C));
});

test("it ends while a look is beside the file", async () => {
	await open();
	stall();
	await change(A, B);
	await later(200);
	proxy.isKnown = false;
	const answer = stallReads();
	await change(A, C);

	const closing = loop?.close();
	answer();
	await closing;
	loop = undefined;

	expect(proxy.live).toEqual(at(A, B));
});
