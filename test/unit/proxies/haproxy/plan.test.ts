import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type BackendState, type DesiredSet, placeOf } from "../../../../src/backends/backend.js";
import { commandsOf } from "../../../../src/proxies/haproxy/commands.js";
import { parseDeclared } from "../../../../src/proxies/haproxy/declared.js";
import { checksOnSteps } from "../../../../src/proxies/haproxy/fallback.js";
import type { Live, LiveServer } from "../../../../src/proxies/haproxy/live.js";
import { type HaproxyActual, type HaproxyStep, planHaproxy } from "../../../../src/proxies/haproxy/plan.js";
import { backend, service, web } from "../../../desired.js";
import { carryOut, type Known, known, NOTHING, render, started } from "./model.js";

const textOf = (desired: DesiredSet, settings?: Record<string, unknown>) =>
	render(NOTHING, desired, settings).wanted.text;
const plan = (actual: HaproxyActual, desired: DesiredSet, settings?: Record<string, unknown>) =>
	planHaproxy(actual, render(actual, desired, settings).wanted);
const kinds = (steps: readonly HaproxyStep[] = []) => steps.map(({ kind }) => kind);
const commands = (steps: readonly HaproxyStep[] = []) =>
	steps.flatMap((step) => (step.kind === "write" || step.kind === "reload" ? [] : commandsOf(step)));

describe("the plan for HAProxy", () => {
	const text = textOf(web("10.0.0.1"));
	const inStep: HaproxyActual = { file: { text, confirmed: true }, live: started(text) };

	test("has no step when file and live state match, as after a restart of the daemon", () => {
		expect(plan(inStep, web("10.0.0.1"))).toEqual({
			urgent: [],
			steps: [],
			reload: false,
			diff: { joined: [], left: [] },
		});
	});

	test("puts in and takes out servers by commands, says so, and lets the file follow without a reload", () => {
		const { urgent, steps, reload, diff } = plan(inStep, web("10.0.0.2"));
		expect(commands(urgent)).toEqual([
			"set server web/s1 state maint",
			"set server web/s2 addr 10.0.0.2 port 80",
			"set server web/s2 state ready",
		]);
		expect(kinds(steps)).toEqual(["write"]);
		expect({ reload, diff }).toEqual({
			reload: false,
			diff: { joined: ["web/10.0.0.2:80"], left: ["web/10.0.0.1:80"] },
		});
	});

	test("drains what is to stop, with the weight that it has", () => {
		const set = [service("web", [backend("web", "10.0.0.1", 80, { state: "drain", weight: 7 })])];
		const { urgent } = plan(inStep, set);
		expect(commands(urgent)).toEqual(["set server web/s1 weight 7", "set server web/s1 state drain"]);
	});

	test("keeps the address of what a person took out", () => {
		const set = [service("web", [backend("web", "10.0.0.1", 80, { state: "down" })])];
		expect(commands(plan(inStep, set).urgent)).toEqual(["set server web/s1 state maint"]);
		expect(textOf(set)).toContain("server s1 10.0.0.1:80 weight 100 disabled");
	});

	test.each([
		["another algorithm", [service("web", [backend("web", "10.0.0.1")], { balance: "leastconn" })]],
		["another option", [service("web", [backend("web", "10.0.0.1")], { options: { serverOptions: "maxconn 9" } })]],
		["another service", [...web("10.0.0.1"), service("www", [])]],
		["a service less", []],
	])("reloads for what no command can change: %s", (_, set) => {
		const { steps, reload } = plan(inStep, set);
		expect(kinds(steps)).toEqual(["write", "reload"]);
		expect(reload).toBe(true);
	});

	test("reloads for more slots before the last one is taken, and puts in meanwhile whoever has one", () => {
		const hosts = Array.from({ length: 7 }, (_, index) => `10.0.0.${index + 1}`);
		const { urgent, steps } = plan(inStep, web(...hosts));
		expect(kinds(steps)).toEqual(["write", "reload"]);
		expect(commands(urgent).filter((command) => command.endsWith("ready"))).toHaveLength(6);
	});

	test("adds servers instead, from HAProxy 3.0 on, where the algorithm takes them", () => {
		const hosts = Array.from({ length: 9 }, (_, index) => `10.0.0.${index + 1}`);
		const actual = { ...inStep, live: started(text, [3, 0]) };
		const { urgent, steps, reload } = plan(actual, web(...hosts));
		expect(reload).toBe(false);
		expect(kinds(steps)).toEqual(["write"]);
		expect(commands(urgent).slice(-2)).toEqual([
			"add server web/s9 10.0.0.9:80 weight 100",
			"set server web/s9 state ready",
		]);
		const hashed = [service("web", web(...hosts)[0]?.backends ?? [], { balance: "source" })];
		const before = textOf([service("web", [], { balance: "source" })]);
		const other = { file: { text: before, confirmed: true }, live: started(before, [3, 0]) };
		expect(plan(other, hashed).reload).toBe(true);
	});

	test("deletes added servers again when most are free, after they are out", () => {
		const hosts = Array.from({ length: 20 }, (_, index) => `10.0.0.${index + 1}`);
		const many = textOf(web(...hosts), { slots: { min: 1, growth: 1.1 } });
		const actual = { file: { text: many, confirmed: true }, live: started(many, [3, 0]) };
		const { urgent, steps } = plan(actual, web("10.0.0.1"));
		expect(kinds(urgent)).toEqual(Array.from({ length: 19 }, () => "state"));
		expect(kinds(steps).filter((kind) => kind === "delete").length).toBeGreaterThan(5);
	});

	test("does not try again what this worker refused, and reloads instead, where a file can do it", () => {
		const set = [service("web", [backend("web", "10.0.0.1", 80, { weight: 7 })])];
		const refused = new Set(["set server web/s1 weight 7"]);
		const { wanted } = render(inStep, set, {}, refused);
		const { urgent, steps, reload } = planHaproxy(inStep, wanted);
		expect({ urgent, reload }).toEqual({ urgent: [], reload: true });
		expect(kinds(steps)).toEqual(["write", "reload"]);
	});

	test("does not reload for what no file can say", () => {
		const set = [service("web", [backend("web", "10.0.0.1", 80, { state: "drain" })])];
		const settings = { runtimeSocket: "/run/h.sock" };
		const text = textOf(set, settings);
		const actual = { file: { text, confirmed: true }, live: started(text) };
		const { wanted } = render(actual, set, settings, new Set(["set server web/s1 state drain"]));
		expect(planHaproxy(actual, wanted)).toMatchObject({ urgent: [], steps: [], reload: false });
	});

	test("reloads when nobody knows whether HAProxy has read the file", () => {
		const file = { text, confirmed: false };
		expect(kinds(plan({ ...inStep, file }, web("10.0.0.1")).steps)).toEqual(["reload"]);
		expect(kinds(plan({ file, live: { state: "unknown" } }, web("10.0.0.1")).steps)).toEqual(["reload"]);
	});

	test("takes the file's word when there is no runtime socket", () => {
		const actual: HaproxyActual = { file: inStep.file, live: { state: "unknown" } };
		expect(plan(actual, web("10.0.0.1")).steps).toEqual([]);
		expect(plan(actual, web("10.0.0.2"))).toMatchObject({
			steps: [{ kind: "write" }, { kind: "reload" }],
			reload: true,
			diff: { joined: ["web/10.0.0.2:80"], left: ["web/10.0.0.1:80"] },
		});
	});

	test("writes and does not reload a HAProxy that does not run", () => {
		const live = { state: "down" as const, why: "nobody is there" };
		const down = plan({ file: inStep.file, live }, web("10.0.0.2"));
		expect(kinds(down.steps)).toEqual(["write"]);
		expect(down).toMatchObject({ reload: false, unreachable: "nobody is there" });
		expect(plan({ file: inStep.file, live }, web("10.0.0.1")).steps).toEqual([]);
		expect(kinds(plan({ file: { confirmed: true }, live }, web("10.0.0.1")).steps)).toEqual(["write"]);
	});

	test("does nothing to a HAProxy that does not answer", () => {
		const live = { state: "mute" as const, why: "busy" };
		expect(plan({ file: inStep.file, live }, web("10.0.0.2"))).toMatchObject({ steps: [], unreachable: "busy" });
	});

	test("does not look at backends and servers that somebody else made", () => {
		const server: LiveServer = { address: "10.9.9.9:1", weight: 1, admin: "ready", running: true, checks: "none" };
		const servers = new Map([...started(text).servers, ["own", new Map([["s1", server]])]]);
		servers.set("web", new Map([...(servers.get("web") ?? []), ["runtime", server]]));
		expect(plan({ ...inStep, live: known(servers) }, web("10.0.0.1"))).toMatchObject({ urgent: [], steps: [] });
	});

	test("takes out a slot that is live and that the file does not have", () => {
		const servers = new Map(started(text).servers);
		const server: LiveServer = { address: "10.9.9.9:1", weight: 1, admin: "ready", running: true, checks: "none" };
		servers.set("web", new Map([...(servers.get("web") ?? []), ["s99", server]]));
		const { urgent, reload } = plan({ ...inStep, live: known(servers, [3, 0]) }, web("10.0.0.1"));
		expect(commands(urgent)).toEqual(["set server web/s99 state maint"]);
		expect(reload).toBe(false);
	});

	test("leaves a slot that a new template does not have in service until the reload", () => {
		const { wanted } = render(inStep, web("10.0.0.1"));
		const own = "backend web\n\tserver mine 10.0.0.1:80\n";
		const { urgent, reload } = planHaproxy(inStep, { ...wanted, text: own, next: parseDeclared(own) });
		expect({ urgent, reload }).toEqual({ urgent: [], reload: true });
	});

	test("switches HAProxy's own checks off where they are a fallback, and undoes what they did", () => {
		const settings = { fallbackChecks: true };
		const checked = textOf(web("10.0.0.1"), settings);
		const live = started(checked);
		const servers = new Map(live.servers.get("web"));
		const first = servers.get("s1");
		if (first !== undefined) servers.set("s1", { ...first, running: false });
		const actual = { file: { text: checked, confirmed: true }, live: known(new Map([["web", servers]])) };
		const { urgent } = plan(actual, web("10.0.0.1"), settings);
		expect(commands(urgent).slice(0, 3)).toEqual([
			"disable health web/s1",
			"set server web/s1 health up",
			"disable health web/s2",
		]);
	});

	test("leaves the checks of what a template adds besides as they are", () => {
		const options = { backendLines: ["server old1 10.0.9.9:80 check"] };
		const set = [service("web", web("10.0.0.1")[0]?.backends ?? [], { options })];
		const settings = { fallbackChecks: true };
		const checked = textOf(set, settings);
		const actual = { file: { text: checked, confirmed: true }, live: started(checked) };
		const { urgent = [] } = plan(actual, set, settings);
		expect(commands(urgent)).toContain("disable health web/s1");
		expect(commands(urgent).join()).not.toContain("old1");
	});

	test("has the checks of one that joins on as it leaves maintenance, since they would stay paused", () => {
		const settings = { fallbackChecks: true };
		const checked = textOf(web("10.0.0.1"), settings);
		const off = new Map([...started(checked).servers].map(([name, of]) => [name, withChecks(of, "off")]));
		const file = { text: checked, confirmed: true };
		const join = (version: Known["version"], ...hosts: string[]) =>
			commands(plan({ file, live: known(off, version) }, web("10.0.0.1", ...hosts), settings).urgent);
		expect(join([2, 6], "10.0.0.2")).toEqual([
			"set server web/s2 addr 10.0.0.2 port 80",
			"enable health web/s2",
			"set server web/s2 state ready",
			"disable health web/s2",
			"set server web/s2 health up",
		]);
		const hosts = Array.from({ length: 8 }, (_, index) => `10.0.0.${index + 2}`);
		expect(join([3, 0], ...hosts).slice(-4)).toEqual([
			"add server web/s9 10.0.0.9:80 weight 100 check",
			"enable health web/s9",
			"set server web/s9 state ready",
			"disable health web/s9",
		]);
	});
});

const withChecks = (of: ReadonlyMap<string, LiveServer>, checks: LiveServer["checks"]) =>
	new Map([...of].map(([server, has]) => [server, { ...has, checks }]));

test("where checks are to run again, one whose checks are paused is taken through maintenance", () => {
	const server: LiveServer = { address: "10.0.0.1:80", weight: 1, admin: "ready", running: true, checks: "off" };
	const servers = new Map([
		["s1", server],
		["s2", { ...server, admin: "drain" as const, checks: "paused" as const }],
		["s3", { ...server, checks: "on" as const }],
		["s4", { ...server, checks: "none" as const }],
		["mine", server],
	]);
	const { backends } = parseDeclared("backend web\n\tserver s1 10.0.0.1:80 check\n");
	const steps = checksOnSteps(new Map(["web", "own"].map((name) => [name, servers])), backends);
	expect(commands(steps)).toEqual([
		"enable health web/s1",
		"enable health web/s2",
		"set server web/s2 state maint",
		"set server web/s2 state drain",
	]);
});

describe("for any actual state and any desired set", () => {
	const states = fc.constantFrom<BackendState>("ready", "closing", "drain", "down");
	const places = fc.tuple(
		fc.constantFrom("10.0.0.1", "10.0.0.2", "fd00::1"),
		fc.integer({ min: 80, max: 84 }),
		states,
		fc.constantFrom(0, 7, 100),
	);
	const desiredSets = fc.uniqueArray(fc.constantFrom("api", "db", "web")).chain((names) =>
		fc.tuple(
			...names.sort().map((name) =>
				fc
					.tuple(
						fc.uniqueArray(places, { selector: ([address, port]) => `${address}:${port}`, maxLength: 12 }),
						fc.constantFrom("roundrobin", "source"),
					)
					.map(([of, balance]) =>
						service(
							name,
							of.map(([address, port, state, weight]) => backend(name, address, port, { state, weight })),
							{ balance },
						),
					),
			),
		),
	);
	const texts = fc.oneof(
		desiredSets.map((set) => textOf(set)),
		fc.constant("backend web\n\tserver 10.0.0.1:80 10.0.0.1:81\n\tserver s1 10.0.0.1:80\n"),
	);
	const liveServers: fc.Arbitrary<LiveServer> = fc.record({
		address: places.map(([address, port]) => `${address}:${port}`),
		weight: fc.constantFrom(0, 1, 100),
		admin: fc.constantFrom("ready", "drain", "maint"),
		running: fc.boolean(),
		checks: fc.constantFrom("none", "on", "off"),
	});
	const versions = fc.constantFrom<Known["version"]>([2, 6], [3, 0]);
	const lives: fc.Arbitrary<Live> = fc.oneof(
		fc.tuple(texts, versions).map(([text, version]) => started(text, version)),
		fc
			.tuple(
				fc.dictionary(
					fc.constantFrom("web", "db", "own"),
					fc.dictionary(fc.constantFrom("s1", "s2", "s3", "s40", "mine"), liveServers),
				),
				versions,
			)
			.map(([servers, version]) =>
				known(new Map(Object.entries(servers).map(([name, of]) => [name, new Map(Object.entries(of))])), version),
			),
		fc.constant({ state: "unknown" as const }),
		fc.constant({ state: "down" as const, why: "down" }),
	);
	const actuals: fc.Arbitrary<HaproxyActual> = fc
		.record({ text: fc.option(texts, { nil: undefined }), confirmed: fc.boolean(), live: lives })
		.map(({ text, confirmed, live }) => ({ file: { ...(text !== undefined && { text }), confirmed }, live }));

	/** As the loop does: what is urgent, then the rest, and once more after a reload. */
	function settle(actual: HaproxyActual, desired: DesiredSet, settings?: Record<string, unknown>): HaproxyActual {
		let now = actual;
		for (let rounds = 0; rounds < 3; rounds++) {
			const { urgent = [], steps } = plan(now, desired, settings);
			now = carryOut(carryOut(now, urgent), steps);
		}
		return now;
	}

	test("the steps lead to the desired set, and then there is nothing left to do", () => {
		fc.assert(
			fc.property(actuals, desiredSets, (actual, desired) => {
				const after = settle(actual, desired);
				for (const { name, backends } of desired) {
					if (after.live.state !== "known") continue;
					const of = [...(after.live.servers.get(name) ?? [])].filter(([server]) => server !== "mine");
					const inUse = of.filter(([, { admin }]) => admin !== "maint").map(([, server]) => server);
					const wanted = backends.filter(({ state }) => state !== "down");
					expect(inUse.map(({ address }) => address).sort()).toEqual(wanted.map(({ id }) => id).sort());
					for (const { id, state, weight } of wanted) {
						const server = inUse.find(({ address }) => address === id);
						expect(server).toMatchObject({ weight, admin: state === "drain" ? "drain" : "ready" });
					}
				}
				const again = plan(after, desired);
				expect({ urgent: again.urgent ?? [], steps: again.steps, reload: again.reload }).toEqual({
					urgent: [],
					steps: [],
					reload: false,
				});
			}),
			{ numRuns: 300 },
		);
	});

	test("checks that are a fallback are off at the end, and all run once they are switched on", () => {
		const settings = { fallbackChecks: true };
		const checksOf = (live: Live) =>
			live.state === "known"
				? [...live.servers].flatMap(([name, of]) =>
						name === "own" ? [] : [...of.values()].map(({ checks }) => checks),
					)
				: [];
		fc.assert(
			fc.property(actuals, desiredSets, desiredSets, (actual, first, then) => {
				const { file, live } = settle(settle(actual, first, settings), then, settings);
				if (live.state !== "known") return;
				const declared = parseDeclared(file.text ?? "").backends;
				const ours = new Map([...live.servers].filter(([name]) => declared.has(name)));
				const slots = new Map([...ours].map(([name, of]) => [name, new Map([...of].filter(([s]) => s !== "mine"))]));
				const servers = { ...live, servers: slots };
				for (const checks of checksOf(servers)) expect(checks).toMatch(/^(off|none)$/);
				const after = carryOut({ file, live: servers }, checksOnSteps(slots, declared)).live;
				for (const checks of checksOf(after)) expect(checks).toMatch(/^(on|none)$/);
			}),
		);
	});

	test("what serves and is to go on serving is not taken out, not even for a moment", () => {
		const serving = ({ live }: HaproxyActual, name: string) =>
			live.state === "known"
				? [...(live.servers.get(name)?.values() ?? [])].flatMap(({ address, admin }) =>
						admin === "ready" ? address : [],
					)
				: [];
		fc.assert(
			fc.property(actuals, desiredSets, (actual, desired) => {
				let now = actual;
				for (const step of plan(actual, desired).urgent ?? []) {
					now = carryOut(now, [step]);
					for (const { name, backends } of desired) {
						const stay = backends.filter(({ state, id }) => state === "ready" && serving(actual, name).includes(id));
						for (const { id } of stay) expect(serving(now, name)).toContain(id);
					}
				}
			}),
			{ numRuns: 300 },
		);
	});

	test("whoever has a slot keeps it, over restarts of the daemon and reloads", () => {
		const slotsOf = ({ live }: HaproxyActual, name: string) =>
			live.state === "known"
				? new Map(
						[...(live.servers.get(name) ?? [])].flatMap(([server, { address, admin }]) =>
							admin === "maint" ? [] : [[address, server] as const],
						),
					)
				: new Map<string, string>();
		fc.assert(
			fc.property(actuals, desiredSets, desiredSets, (actual, first, then) => {
				const before = settle(actual, first);
				const after = settle(before, then);
				// A backend that was somebody else's before has no slots of ours.
				for (const { name } of then.filter((one) => first.some((had) => had.name === one.name))) {
					const now = slotsOf(after, name);
					for (const [address, server] of slotsOf(before, name)) {
						if (now.has(address) && placeOf(address) !== undefined) expect(now.get(address)).toBe(server);
					}
				}
			}),
		);
	});

	test("a plan reloads exactly when one of its steps does, and never a HAProxy that does not run", () => {
		fc.assert(
			fc.property(actuals, desiredSets, (actual, desired) => {
				const { urgent = [], steps, reload } = plan(actual, desired);
				expect(steps.some(({ kind }) => kind === "reload")).toBe(reload);
				expect(urgent.some(({ kind }) => kind === "reload" || kind === "write")).toBe(false);
				if (actual.live.state === "down") expect(reload).toBe(false);
			}),
		);
	});
});
