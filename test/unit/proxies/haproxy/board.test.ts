import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Backend, type BackendState, backendId } from "../../../../src/backends/backend.js";
import { createBoard } from "../../../../src/proxies/haproxy/board.js";
import { commandsOf } from "../../../../src/proxies/haproxy/commands.js";
import { type HaproxyActual, planHaproxy } from "../../../../src/proxies/haproxy/plan.js";
import { backend, service } from "../../../desired.js";
import { carryOut, type Known, NOTHING, render, started } from "./model.js";

const ref = (host: string, port = 80) => ({ service: "web", id: backendId(host, port) });

/** A HAProxy that runs what was rendered for these backends, and a board that has just read it. */
function setup(
	backends: readonly Backend[],
	{ version = [2, 6], min = 4 }: { version?: Known["version"]; min?: number } = {},
) {
	const settings = { slots: { min } };
	const desired = new Map(backends.map((one) => [one.id as string, one]));
	const set = () => [service("web", [...desired.values()])];
	const { text } = render(NOTHING, set(), settings).wanted;
	let actual: HaproxyActual = { file: { text, confirmed: true }, live: started(text, version) };
	const board = createBoard();

	/** As a round of the loop does. */
	const round = () => {
		for (let again = 0; again < 2; again++) {
			const mark = board.mark();
			board.take(actual.live, mark);
			const { wanted, slots } = render(actual, set(), settings);
			board.assign(
				[...slots].map(([name, of]) => ({
					service: name,
					slots: of,
					add: wanted.dynamic.has(name) ? { options: "" } : undefined,
				})),
			);
			const { urgent = [], steps } = planHaproxy(actual, wanted);
			for (const step of urgent) if (step.kind !== "write" && step.kind !== "reload") board.done(step);
			actual = carryOut(carryOut(actual, urgent), steps);
		}
		board.take(actual.live, board.mark());
		const { wanted, slots } = render(actual, set(), settings);
		board.assign(
			[...slots].map(([name, of]) => ({
				service: name,
				slots: of,
				add: wanted.dynamic.has(name) ? { options: "" } : undefined,
			})),
		);
	};
	round();

	/** One change by the fast lane; undefined when it takes a round. */
	const change = (host: string, port: number, state: BackendState | "gone") => {
		const id = backendId(host, port);
		if (state === "gone") desired.delete(id);
		else desired.set(id, backend("web", host, port, { state }));
		const steps = board.change({ service: "web", id }, desired.get(id), false)?.steps;
		if (steps === undefined) return undefined;
		for (const step of steps) {
			actual = carryOut(actual, [step]);
			board.done(step);
		}
		return steps.flatMap(commandsOf);
	};
	return { board, change, round, desired: set, settings, actual: () => actual };
}

describe("the board", () => {
	test("puts a backend into a free slot, takes it out, and lets it come back to its own", () => {
		const { change } = setup([backend("web", "10.0.0.1")]);
		expect(change("10.0.0.2", 80, "ready")).toEqual([
			"set server web/s2 addr 10.0.0.2 port 80",
			"set server web/s2 state ready",
		]);
		expect(change("10.0.0.2", 80, "gone")).toEqual(["set server web/s2 state maint"]);
		expect(change("10.0.0.3", 80, "ready")?.[0]).toBe("set server web/s3 addr 10.0.0.3 port 80");
		// a worker that was started meanwhile has no address there
		expect(change("10.0.0.2", 80, "ready")).toEqual([
			"set server web/s2 addr 10.0.0.2 port 80",
			"set server web/s2 state ready",
		]);
	});

	test("drains, and makes ready again", () => {
		const { change } = setup([backend("web", "10.0.0.1"), backend("web", "10.0.0.2")]);
		expect(change("10.0.0.1", 80, "drain")).toEqual(["set server web/s1 state drain"]);
		expect(change("10.0.0.1", 80, "ready")).toEqual(["set server web/s1 state ready"]);
	});

	test("has nothing to do for what is so already, or was never there", () => {
		const { change } = setup([backend("web", "10.0.0.1")]);
		expect(change("10.0.0.1", 80, "ready")).toEqual([]);
		expect(change("10.0.0.1", 80, "closing")).toEqual([]);
		expect(change("10.0.0.9", 80, "gone")).toEqual([]);
	});

	test("leaves to a plan what has no slot, or adds one where that can be done", () => {
		const fill = (version: Known["version"]) => {
			const board = setup([backend("web", "10.0.0.1")], { version });
			for (const host of [2, 3, 4]) expect(board.change(`10.0.0.${host}`, 80, "ready")).toHaveLength(2);
			return board;
		};
		expect(fill([2, 6]).change("10.0.0.5", 80, "ready")).toBeUndefined();
		const added = fill([3, 0]);
		expect(added.change("10.0.0.5", 80, "ready")).toEqual([
			"add server web/s5 10.0.0.5:80 weight 100",
			"set server web/s5 state ready",
		]);
		expect(added.change("10.0.0.6", 80, "ready")?.[0]).toBe("add server web/s6 10.0.0.6:80 weight 100");
	});

	test("knows nothing of a service that has no slots here, nor after it was told to forget", () => {
		const { board } = setup([backend("web", "10.0.0.1")]);
		expect(board.change({ ...ref("10.0.0.1"), service: "other" }, undefined, false)).toBeUndefined();
		board.forget();
		expect(board.worker).toBeUndefined();
		expect(board.change(ref("10.0.0.1"), undefined, false)).toBeUndefined();
	});
});

describe("changes that go together", () => {
	test("see each other: who takes the slot of one that leaves is put in after it is out", () => {
		const { board } = setup(
			["10.0.0.1", "10.0.0.2"].map((host) => backend("web", host)),
			{ version: [3, 0], min: 2 },
		);
		for (const host of ["10.0.0.3", "10.0.0.4"]) board.change(ref(host), backend("web", host), false);
		const steps = [
			...(board.change(ref("10.0.0.1"), undefined, false)?.steps ?? []),
			...(board.change(ref("10.0.0.5"), backend("web", "10.0.0.5"), false)?.steps ?? []),
		];
		expect(steps.flatMap(commandsOf)).toEqual([
			"set server web/s1 state maint",
			"set server web/s1 addr 10.0.0.5 port 80",
			"set server web/s1 state ready",
		]);
	});

	test("take back what was asked for before", () => {
		const { board } = setup([backend("web", "10.0.0.1")]);
		expect(board.change(ref("10.0.0.1"), undefined, false)?.steps).toHaveLength(1);
		expect(board.change(ref("10.0.0.1"), backend("web", "10.0.0.1"), false)?.steps.flatMap(commandsOf)).toEqual([
			"set server web/s1 addr 10.0.0.1 port 80",
			"set server web/s1 state ready",
		]);
	});

	test("reach a server that a plan is about to add", () => {
		const { board, actual } = setup([backend("web", "10.0.0.1")], { version: [3, 0], min: 1 });
		const slots = [
			{ name: "s1", backend: backend("web", "10.0.0.1") },
			{ name: "s9", backend: backend("web", "10.0.0.9") },
		];
		board.take(actual().live, board.mark());
		board.assign([{ service: "web", slots, add: { options: "" } }]);
		board.done({ kind: "add", backend: "web", server: "s9", address: "10.0.0.9", port: 80, weight: 100, options: "" });
		board.done({ kind: "state", backend: "web", server: "s9", state: "ready" });
		expect(board.change(ref("10.0.0.9"), undefined, false)?.steps.flatMap(commandsOf)).toEqual([
			"set server web/s9 state maint",
		]);
	});
});

describe("what a worker refuses", () => {
	test("is remembered for as long as that worker lives", () => {
		const { board, actual } = setup([backend("web", "10.0.0.1")]);
		board.refuse({ kind: "weight", backend: "web", server: "s1", weight: 7 });
		expect([...board.refused]).toEqual(["set server web/s1 weight 7"]);
		board.take(actual().live, board.mark());
		expect(board.refused.size).toBe(1);
		board.take({ ...actual().live, worker: "2/2" } as Known, board.mark());
		expect(board.refused.size).toBe(0);
	});
});

describe("a read", () => {
	test("that tells nothing new says so", () => {
		const { board, actual, change } = setup([backend("web", "10.0.0.1")]);
		const mark = board.mark();
		change("10.0.0.2", 80, "ready");
		expect(board.take(actual().live, board.mark()).isSame).toBe(true);
		expect(board.take(setup([]).actual().live, mark).isSame).toBe(false);
		board.forget();
		expect(board.take(actual().live, board.mark()).isSame).toBe(false);
	});

	const twoServers = () => setup([backend("web", "10.0.0.1"), backend("web", "10.0.0.2")]);
	const withState = (live: HaproxyActual["live"], server: string, admin: "ready" | "drain" | "maint"): Known => {
		if (live.state !== "known") throw new Error("not known");
		const of = new Map(live.servers.get("web"));
		const has = of.get(server);
		if (has === undefined) throw new Error(`no ${server}`);
		return { ...live, servers: new Map([...live.servers, ["web", of.set(server, { ...has, admin })]]) };
	};

	test("tells which states a person set", () => {
		const { board, actual } = twoServers();
		expect(board.take(withState(actual().live, "s1", "maint"), board.mark()).byOthers).toEqual([
			{ ...ref("10.0.0.1"), state: "down" },
		]);
		expect(board.take(withState(actual().live, "s1", "drain"), board.mark()).byOthers).toEqual([
			{ ...ref("10.0.0.1"), state: "drain" },
		]);
		expect(board.take(actual().live, board.mark()).byOthers).toEqual([{ ...ref("10.0.0.1"), state: "ready" }]);
		expect(board.take(actual().live, board.mark()).byOthers).toEqual([]);
	});

	test("takes no change that was made meanwhile for a person's", () => {
		const { board, change, actual } = twoServers();
		const mark = board.mark();
		const before = actual().live;
		change("10.0.0.1", 80, "drain");
		expect(board.take(before, mark).byOthers).toEqual([]);
		expect(board.servers.get("web")?.get("s1")?.admin).toBe("drain");
	});

	test("of another worker tells nothing of persons: its states come from a file", () => {
		const { board, actual } = twoServers();
		const other = { ...withState(actual().live, "s1", "maint"), worker: "2/2" };
		expect(board.take(other, board.mark()).byOthers).toEqual([]);
		expect(board.worker).toBe("2/2");
	});

	test("of a free slot is nobody's word", () => {
		const { board, actual } = twoServers();
		expect(board.take(withState(actual().live, "s4", "ready"), board.mark()).byOthers).toEqual([]);
	});
});

test("single changes lead to where a plan would", () => {
	const states = fc.constantFrom<BackendState | "gone">("ready", "ready", "gone", "gone", "drain", "down", "closing");
	const changes = fc.array(fc.tuple(fc.integer({ min: 1, max: 9 }), states), { maxLength: 40 });
	const versions = fc.constantFrom<Known["version"]>([2, 6], [3, 0]);
	fc.assert(
		fc.property(changes, versions, fc.integer({ min: 1, max: 6 }), (sequence, version, min) => {
			const { change, round, desired, settings, actual } = setup([], { version, min });
			for (const [host, state] of sequence) {
				if (change(`10.0.0.${host}`, 80, state) === undefined) round();
			}
			const { urgent = [] } = planHaproxy(actual(), render(actual(), desired(), settings).wanted);
			expect(urgent).toEqual([]);
		}),
		{ numRuns: 300 },
	);
});
