import { pino } from "pino";
import { beforeEach, expect, test, vi } from "vitest";
import { configSchema } from "../../src/config/schema.js";
import type { HostInfo, Member, MemberOptions } from "../../src/fleet/registry.js";
import { openFleetLink } from "../../src/fleet-link.js";
import { growFreely } from "../../src/heap.js";

vi.mock("../../src/heap.js", () => ({ growFreely: vi.fn() }));

beforeEach(() => vi.mocked(growFreely).mockClear());

const a: HostInfo = { host: "a", version: "1", lease: 10_000, draining: false, services: [] };
const FROZEN = { state: "frozen", sinceMs: 0, why: "nobody listens there" } as const;

/** A link to a registry that tells what the test lets it tell. */
async function setup(fleet: object = {}) {
	const told: MemberOptions[] = [];
	const member = { offer() {}, declare() {}, settled() {}, close: async () => {} } as Partial<Member> as Member;
	const link = await openFleetLink({
		config: configSchema.parse({ fleet: { redis: "redis://10.0.0.9:6379", ...fleet } }),
		pipeline: {
			onRemote() {},
			onRemoteComplete() {},
			recheck() {},
			forgetRemote() {},
			onLocalAddress() {},
			offers: () => [],
			isUnsure: () => undefined,
			remembered: () => ({ holds: [], services: [], remote: [] }),
		},
		log: pino({ enabled: false }),
		open: async (_, options) => {
			told.push(options);
			return member;
		},
	});
	const [registry] = told;
	if (registry === undefined) throw new Error("nothing was opened");
	return { link, registry };
}

/** Whether it is resolved by now. */
const isOver = (promise: Promise<void>) =>
	Promise.race([promise.then(() => true), new Promise((resolve) => setImmediate(() => resolve(false)))]);
const growsFreely = () => vi.mocked(growFreely).mock.lastCall?.[0] ?? false;

test("a registry that is reported frozen is dealt with, and one that has yet to answer is not", async () => {
	const { link, registry } = await setup();
	expect(await isOver(link.dealtWith)).toBe(false);
	registry.onState(FROZEN);
	expect(await isOver(link.dealtWith)).toBe(true);
	expect(await isOver(link.complete)).toBe(false);
	await link.close();
});

test("one that was read is dealt with, and so is one of which nothing is read", async () => {
	const { link, registry } = await setup();
	registry.onComplete(0);
	expect(await isOver(link.dealtWith)).toBe(true);
	await link.close();
	const only = await setup({ subscribe: false });
	expect(await isOver(only.link.dealtWith)).toBe(true);
	await only.link.close();
});

test("the heap grows freely while hosts are being read for the first time, and not for longer", async () => {
	const { link, registry } = await setup();
	expect(growsFreely()).toBe(false);
	const whole = { kind: "whole", host: a, offers: new Map() } as const;
	registry.onChange([whole]);
	expect(growsFreely()).toBe(true);
	registry.onState(FROZEN);
	expect(growsFreely()).toBe(false);
	registry.onChange([whole]);
	expect(growsFreely()).toBe(true);
	registry.onComplete(0);
	expect(growsFreely()).toBe(false);
	registry.onChange([whole]);
	expect(growsFreely()).toBe(false);
	await link.close();
});
