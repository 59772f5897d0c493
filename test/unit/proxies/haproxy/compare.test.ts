import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type ComparedLine, createComparator, PATIENCE_MS } from "../../../../src/proxies/haproxy/compare.js";
import type { KnownBackend, SeenServer } from "../../../../src/proxies/haproxy/one-sided.js";

const ID = "10.0.0.1:80";

const server = (up: boolean, rest: Partial<SeenServer> = {}): SeenServer => ({
	name: "old/a",
	address: ID,
	up,
	inMaintenance: false,
	checked: true,
	...rest,
});
const backend = (listens: boolean, id = ID): KnownBackend => ({ service: "web", id, listens });

/** Both sides, looked at until the lists are told. */
function inStep(up: boolean) {
	const comparator = createComparator();
	for (const nowMs of [0, 1]) comparator.looked("w", [server(up)], [backend(up)], nowMs);
	return comparator;
}

describe("what the kernel says is compared with what HAProxy's checks say", () => {
	test("and the time between is told once they say the same", () => {
		const comparator = inStep(true);
		expect(comparator.isOpen()).toBe(false);
		expect(comparator.changed({ id: ID, listens: false, atMs: 1000 })).toEqual([]);
		expect(comparator.isOpen()).toBe(true);
		expect(comparator.looked("w", [server(true)], [backend(false)], 2000)).toEqual([]);
		expect(comparator.looked("w", [server(false)], [], 5500)).toEqual([
			{ kind: "seen", server: "old/a", change: "down", atMs: 1000, afterMs: 4500 },
		]);
		comparator.changed({ id: ID, listens: true, atMs: 6000 });
		expect(comparator.looked("w", [server(true)], [backend(true)], 6100)).toEqual([
			{ kind: "seen", server: "old/a", change: "up", atMs: 6000, afterMs: 100 },
		]);
		expect(comparator.isOpen()).toBe(false);
		expect(comparator.summary).toMatchObject({
			up: { count: 1, medianMs: 100, maxMs: 100 },
			down: { count: 1, medianMs: 4500, maxMs: 4500 },
			unnoticed: 0,
			byChecksAlone: 0,
		});
	});

	test("for every server that has the address, in whatever backend", () => {
		const comparator = createComparator();
		const both = (up: boolean) => [server(up), server(up, { name: "admin/x" })];
		comparator.looked("w", both(true), [backend(true)], 0);
		comparator.changed({ id: ID, listens: false, atMs: 10 });
		const lines = comparator.looked("w", both(false), [], 60);
		expect(lines.map((line) => line.kind === "seen" && line.server)).toEqual(["old/a", "admin/x"]);
	});

	test("and a check that was asked about before the kernel's word came is not by itself", () => {
		const comparator = inStep(true);
		expect(comparator.looked("w", [server(false)], [backend(true)], 1000)).toEqual([]);
		expect(comparator.isOpen()).toBe(true);
		expect(comparator.changed({ id: ID, listens: false, atMs: 999 })).toEqual([
			{ kind: "seen", server: "old/a", change: "down", atMs: 999, afterMs: 1 },
		]);
		expect(comparator.looked("w", [server(false)], [], 1050)).toEqual([]);
	});

	test("and a restart that no check noticed is told", () => {
		const comparator = inStep(true);
		comparator.changed({ id: ID, listens: false, atMs: 1000 });
		comparator.looked("w", [server(true)], [], 1050);
		comparator.changed({ id: ID, listens: true, atMs: 1600 });
		expect(comparator.looked("w", [server(true)], [backend(true)], 1650)).toEqual([
			{ kind: "unnoticed", server: "old/a", change: "down", atMs: 1000, forMs: 600 },
		]);
		expect(comparator.summary.unnoticed).toBe(1);
	});

	test("and one that the checks never see is told once, and looked at closely no longer", () => {
		const comparator = inStep(true);
		comparator.changed({ id: ID, listens: false, atMs: 0 });
		const late = PATIENCE_MS + 1;
		const waiting = { kind: "waiting", server: "old/a", change: "down", atMs: 0 };
		expect(comparator.looked("w", [server(true)], [], late)).toEqual([waiting]);
		expect(comparator.isOpen()).toBe(false);
		expect(comparator.looked("w", [server(true)], [], late + 1000)).toEqual([]);
		expect(comparator.looked("w", [server(false)], [], late + 2000)).toMatchObject([
			{ kind: "seen", afterMs: late + 2000 },
		]);
	});
});

describe("what HAProxy says and the kernel does not is told", () => {
	test.each([
		["a check that fails while it listens", false],
		["a person who has it in maintenance", true],
	])("%s, and when it is up again", (_, inMaintenance) => {
		const comparator = inStep(true);
		const down = server(false, { inMaintenance });
		expect(comparator.looked("w", [down], [backend(true)], 1000)).toEqual([]);
		expect(comparator.looked("w", [down], [backend(true)], 1050)).toMatchObject([
			{ kind: "alone", server: "old/a", change: "down", inMaintenance, listens: true },
		]);
		expect(comparator.looked("w", [down], [backend(true)], 2000)).toEqual([
			{ kind: "list", list: "downInProxy", names: ["old/a"] },
		]);
		expect(comparator.looked("w", [server(true)], [backend(true)], 3000)).toEqual([]);
		expect(comparator.looked("w", [server(true)], [backend(true)], 3050)).toMatchObject([
			{ kind: "alone", change: "up", listens: true },
			{ kind: "list", list: "downInProxy", names: [] },
		]);
		expect(comparator.summary.byChecksAlone).toBe(2);
	});

	test("but not what a new worker, or one that could not be asked for a while, has forgotten", () => {
		const comparator = inStep(true);
		comparator.changed({ id: ID, listens: false, atMs: 100 });
		expect(comparator.looked("new", [server(true)], [], 200)).toEqual([]);
		expect(comparator.isOpen()).toBe(false);
		comparator.changed({ id: ID, listens: true, atMs: 210 });
		comparator.changed({ id: ID, listens: false, atMs: 220 });
		comparator.forget();
		expect(comparator.isOpen()).toBe(false);
		expect(comparator.looked("new", [server(false)], [], 300)).toEqual([]);
		expect(comparator.looked("new", [server(false)], [], 400)).toEqual([]);
	});
});

test("what only one side has is listed once it lasts, and again when it changes", () => {
	const comparator = createComparator();
	const servers = [
		server(true),
		server(true, { name: "old/legacy", address: "10.0.9.9:80" }),
		server(false, { name: "old/dead", address: "10.0.9.8:80" }),
		server(false, { name: "old/b", address: "10.0.0.2:80" }),
		server(true, { name: "old/c", address: "10.0.0.3:80", checked: false }),
	];
	const backends = ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80", "10.0.0.4:80"].map((id) => backend(true, id));
	expect(comparator.looked("w", servers, backends, 0)).toEqual([]);
	expect(comparator.looked("w", servers, backends, 1000)).toEqual([
		{ kind: "list", list: "onlyInProxy", names: ["old/legacy"] },
		{ kind: "list", list: "onlyInSolistend", names: ["web/10.0.0.4:80"] },
		{ kind: "list", list: "downInProxy", names: ["old/b"] },
		{ kind: "list", list: "unchecked", names: ["old/c"] },
	]);
	expect(comparator.looked("w", servers, backends, 2000)).toEqual([]);
	expect(comparator.looked("w", servers, undefined, 3000)).toEqual([]);
	const more = [...backends, backend(true, "10.0.9.9:80")];
	expect(comparator.looked("w", servers, more, 4000)).toEqual([]);
	expect(comparator.looked("w", servers, more, 5000)).toEqual([{ kind: "list", list: "onlyInProxy", names: [] }]);
});

describe("for any course of events", () => {
	/** What happens next: the kernel's word changes, a check takes it over, a look, or the check's own mind. */
	const courses = fc.array(fc.constantFrom("kernel", "check", "look", "mind"), { maxLength: 60 });

	/** A server and its checks, which follow the kernel unless they change their mind. */
	function play(course: readonly string[]) {
		const comparator = inStep(true);
		let listens = true;
		let up = true;
		let changes = 0;
		let nowMs = 10;
		const lines: ComparedLine[] = [];
		const look = () => lines.push(...comparator.looked("w", [server(up)], [backend(listens)], nowMs));
		for (const event of course) {
			nowMs += 10;
			if (event === "kernel") {
				listens = !listens;
				changes += 1;
				lines.push(...comparator.changed({ id: ID, listens, atMs: nowMs }));
			} else if (event === "check") up = listens;
			else if (event === "mind") up = !up;
			else look();
		}
		up = listens;
		for (let rest = 0; rest < 3; rest++) {
			nowMs += 10;
			look();
		}
		const of = (kind: ComparedLine["kind"]) => lines.filter((line) => line.kind === kind);
		return { comparator, changes, lines, of };
	}

	test("each change of the kernel is told as seen, or with the next one as unnoticed", () => {
		fc.assert(
			fc.property(
				courses.map((course) => course.filter((event) => event !== "mind")),
				(course) => {
					const { comparator, changes, of } = play(course);
					expect(of("seen").length + 2 * of("unnoticed").length).toBe(changes);
					expect(of("alone")).toEqual([]);
					expect(comparator.isOpen()).toBe(false);
				},
			),
		);
	});

	test("nothing stays open once both say the same, and no time is negative", () => {
		fc.assert(
			fc.property(courses, (course) => {
				const { comparator, lines } = play(course);
				expect(comparator.isOpen()).toBe(false);
				for (const line of lines) if (line.kind === "seen") expect(line.afterMs).toBeGreaterThanOrEqual(0);
				const { up, down, onlyInProxy, downInProxy } = comparator.summary;
				expect(up.count + down.count).toBe(lines.filter(({ kind }) => kind === "seen").length);
				expect([...onlyInProxy, ...downInProxy]).toEqual([]);
			}),
		);
	});
});
