import { describe, expect, test } from "vitest";
import type { Backend, BackendRef, DesiredSet } from "../../../src/backends/backend.js";
import { createNewcomers } from "../../../src/proxies/newcomers.js";
import { backend, service, web } from "../../desired.js";

const AGE_MS = 100;

function setup() {
	let set: DesiredSet = web();
	const backend = (ref: BackendRef): Backend | undefined =>
		set.find(({ name }) => name === ref.service)?.backends.find(({ id }) => id === ref.id);
	const newcomers = createNewcomers(backend);
	const idsIn = (of: DesiredSet) => of.flatMap(({ backends }) => backends.map(({ address }) => address));
	return {
		newcomers,
		/** These are desired from now on. */
		become(next: DesiredSet, nowMs: number) {
			const before = set;
			set = next;
			const refs = [...before, ...next].flatMap(({ name, backends }) =>
				backends.map(({ id }) => ({ service: name, id })),
			);
			newcomers.touched(refs, nowMs);
		},
		grown: (nowMs: number) => idsIn(newcomers.grown(set, nowMs, AGE_MS).set),
		set: () => set,
	};
}

const closing = (set: DesiredSet): DesiredSet =>
	set.map((service) => ({
		...service,
		backends: service.backends.map((backend) => ({ ...backend, state: "closing" as const })),
	}));

describe("a newcomer", () => {
	test("is left out until it was there for long enough, and that time is known", () => {
		const { newcomers, become, grown, set } = setup();
		become(web("10.0.0.1"), 1000);
		expect(newcomers.dueMs(AGE_MS)).toBe(1100);
		expect(grown(1099)).toEqual([]);
		expect(newcomers.grown(set(), 1100, AGE_MS)).toEqual({ set: set(), allAtMs: undefined });
		expect(newcomers.grown(set(), 1100, AGE_MS).set).toBe(set());
	});

	test("that the proxy got is none any more, whatever happens to it", () => {
		const { newcomers, become, grown, set } = setup();
		become(web("10.0.0.1"), 1000);
		newcomers.handed(set());
		expect(newcomers.dueMs(AGE_MS)).toBeUndefined();
		become(web(), 1010);
		become(web("10.0.0.1"), 1020);
		expect(grown(1030)).toEqual(["10.0.0.1"]);
	});

	test("that left before the proxy got it begins anew when it comes back", () => {
		const { newcomers, become, grown } = setup();
		become(web("10.0.0.1"), 1000);
		become(web(), 1050);
		expect(newcomers.dueMs(AGE_MS)).toBeUndefined();
		become(web("10.0.0.1"), 1080);
		expect(grown(1150)).toEqual([]);
		expect(grown(1180)).toEqual(["10.0.0.1"]);
	});

	test("that closed, and stays as the last one alone, is never worth a reload; listening again it begins anew", () => {
		const { newcomers, become, grown } = setup();
		become(web("10.0.0.1"), 1000);
		become(closing(web("10.0.0.1")), 1020);
		expect(newcomers.dueMs(AGE_MS)).toBeUndefined();
		expect(grown(5000)).toEqual([]);
		become(web("10.0.0.1"), 6000);
		expect(grown(6100)).toEqual(["10.0.0.1"]);
	});

	test("is told when all of them are old enough, if any will be", () => {
		const { newcomers, become, set } = setup();
		become(web("10.0.0.1"), 1000);
		become(web("10.0.0.1", "10.0.0.2"), 1060);
		expect(newcomers.grown(set(), 1070, AGE_MS).allAtMs).toBe(1160);
		expect(newcomers.grown(set(), 1160, AGE_MS).allAtMs).toBeUndefined();
		become(closing(web("10.0.0.3")), 1170);
		expect(newcomers.grown(set(), 1180, AGE_MS)).toMatchObject({ set: web(), allAtMs: undefined });
	});

	test("keeps nobody else waiting", () => {
		const { newcomers, become, grown } = setup();
		become(web("10.0.0.1"), 1000);
		become(web("10.0.0.1", "10.0.0.2"), 1090);
		expect(grown(1100)).toEqual(["10.0.0.1"]);
		expect(newcomers.dueMs(AGE_MS)).toBe(1100);
	});

	test("leaves no backup behind that nobody goes before", () => {
		const { newcomers, become, set } = setup();
		const both = [backend("web", "10.0.0.1"), backend("web", "10.0.1.1", 80, { backup: true, local: false })];
		newcomers.handed([service("web", both.slice(1))]);
		become([service("web", both)], 1000);
		const backups = (nowMs: number) =>
			newcomers.grown(set(), nowMs, AGE_MS).set.flatMap(({ backends }) => backends.map(({ backup }) => backup));
		expect(backups(1050)).toEqual([false]);
		expect(backups(1100)).toEqual([false, true]);
	});
});
