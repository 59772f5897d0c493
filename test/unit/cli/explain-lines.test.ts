import { describe, expect, test } from "vitest";
import type { ExplainedView, ExplainView } from "../../../src/admin/explain-view.js";
import { explainLines } from "../../../src/cli/explain-lines.js";
import { when } from "../../../src/cli/explain-words.js";

/** Local time, as it is shown. */
const at = (hours: number, minutes: number, seconds: number) => new Date(2026, 0, 2, hours, minutes, seconds, 5);
const NOW = at(12, 0, 0).getTime();
const iso = (...time: Parameters<typeof at>) => at(...time).toISOString();

const listener = (changes: Partial<ExplainedView> = {}): ExplainedView => ({
	state: "listening",
	means: ["port"],
	netns: 4026532177,
	netnsName: "blue",
	address: "0.0.0.0",
	port: 80,
	pid: 4711,
	comm: "nginx",
	hostname: "blue",
	since: iso(11, 59, 0),
	verdict: { state: "in", places: [{ service: "web", backend: "10.0.0.2:80" }] },
	steps: [
		{ step: "seen", state: "done", text: "pid 4711 listens (tcp, backlog 511)" },
		{ step: "pool", service: "web", state: "done", text: "ready: it listens" },
		{ step: "proxy", service: "web", proxy: "edge", state: "done", text: "applied" },
		{ step: "rule", service: "api", state: "no", text: "port 80 is not in 81" },
	],
	history: [{ at: iso(11, 59, 0), change: "backend", backend: "web/10.0.0.2:80", text: "ready: it listens" }],
	...changes,
});

const answer = (changes: Partial<ExplainView> = {}): ExplainView => ({
	recordedSince: iso(11, 0, 0),
	meanings: [{ meaning: "port", name: "80", listening: 1, closed: 0 }],
	listeners: [listener()],
	more: 0,
	strays: [],
	misses: [],
	...changes,
});

const lines = (view: ExplainView, what = "80", width?: number) => explainLines(view, { what, nowMs: NOW, width });

const waitingFor = { step: "address", service: "web", state: "waiting", text: "it has none" } as const;
const refused = { step: "address", service: "web", state: "no", text: "it is bound to loopback" } as const;

describe("an explanation for a person", () => {
	test("has the answer first, then the steps, then what happened", () => {
		expect(lines(answer())).toEqual([
			"port 80: 1 listener",
			"",
			"0.0.0.0:80 in netns blue, pid 4711 (nginx)",
			"  in web as 10.0.0.2:80",
			"",
			"  STEP   SERVICE  STATE  WHAT",
			"  seen            done   pid 4711 listens (tcp, backlog 511) since 11:59:00.005, 1m ago",
			"  pool   web      done   ready: it listens",
			"  proxy  web      done   edge: applied",
			"  rule   api      no     port 80 is not in 81",
			"",
			"  WHEN          AGO  CHANGE",
			"  11:59:00.005  1m   web/10.0.0.2:80 ready: it listens",
		]);
	});

	test.each([
		[
			{ verdict: { state: "pending", why: "x" }, waitingFor },
			["  in no pool yet", "  waits for address (web): it has none"],
		],
		[
			{ verdict: { state: "out", why: "x" }, waitingFor: refused },
			["  in no pool", "  held up at address (web): it is bound to loopback"],
		],
		[{ verdict: { state: "out", why: "x" }, unmatched: true }, ["  in no pool: no service's rule matches it", ""]],
	] as const)("says where it stands, and what keeps it: %#", (changes, wanted) => {
		expect(lines(answer({ listeners: [listener(changes)] })).slice(3, 5)).toEqual(wanted);
	});

	test("of one that closed says when, and has no steps", () => {
		const { verdict: _, ...closed } = listener({ state: "closed", closedAt: iso(11, 59, 30), steps: [], history: [] });
		expect(lines(answer({ listeners: [closed] })).slice(3)).toEqual([
			"  closed 30s ago (11:59:30.005), after it had listened for 30s",
			"",
			"  nothing about it has changed since 11:00:00.005",
		]);
	});

	test("says which meaning each listener has, where there are several", () => {
		const meanings = [
			{ meaning: "port", name: "80", listening: 1, closed: 0 },
			{ meaning: "pid", name: "80", listening: 0, closed: 2 },
		] as const;
		const told = lines(answer({ meanings }));
		expect(told.slice(0, 2)).toEqual(["port 80: 1 listener", "process 80: 2 closed lately"]);
		expect(told).toContain("0.0.0.0:80 in netns blue, pid 4711 (nginx), by port");
		const container = { meaning: "container", name: "web-1 (3f2a00000000)", listening: 2, closed: 1 } as const;
		expect(lines(answer({ meanings: [container] }), "3f2a")[0]).toBe(
			"3f2a is container web-1 (3f2a00000000): 2 listeners, 1 closed lately",
		);
	});

	test("of many has a line each, of many that closed the last ones", () => {
		const many = Array.from({ length: 5 }, (_, i) => listener({ pid: 100 + i }));
		expect(lines(answer({ listeners: many, more: 7 })).slice(1)).toEqual([
			"",
			"NETNS  ADDRESS  PORT  PID  COMM   FOR  STATE",
			...many.map(({ pid }) => `blue   0.0.0.0    80  ${pid}  nginx  1m   in web as 10.0.0.2:80`),
			"and 7 more (--json has some of them)",
			"",
			"for the steps and changes of one: solistend explain --pid PID, or its backend (service/address:port)",
		]);
		const { verdict: _, ...closed } = listener({ state: "closed", closedAt: iso(11, 59, 30), steps: [] });
		const told = lines(answer({ listeners: [listener(), ...Array<ExplainedView>(12).fill(closed)] }));
		expect(told.filter((line) => line.endsWith("closed 30s ago"))).toHaveLength(10);
		expect(told).toContain("  STEP   SERVICE  STATE  WHAT");
		expect(told.at(-1)).toBe("and 2 more (--json has them all)");
	});

	test("shows twelve rules that do not match, and counts the rest", () => {
		const steps = Array.from({ length: 15 }, (_, i) => {
			return { step: "rule", service: `s${i}`, state: "no", text: "port 80 is not in 81" } as const;
		});
		const rules = lines(answer({ listeners: [listener({ steps })] })).filter((line) => line.startsWith("  rule"));
		expect(rules).toHaveLength(13);
		expect(rules.at(-1)).toBe("  rule  3 more   no     (--json has them all)");
	});

	test("of an empty service shows what came near, and of backends those that nothing leads to", () => {
		const meanings = [{ meaning: "service", name: "api", listening: 0, closed: 0 }] as const;
		const near = { netns: 7, address: "::", port: 81, pid: 5, comm: "node" };
		const misses = [{ service: "api", ...near, key: "hostname", text: "hostname vm does not match api-*" }];
		const hold = { state: "down", held: true, reason: "nothing listens there now" } as const;
		const strays = [{ service: "api", id: "10.0.0.9:81", ...hold }];
		expect(lines(answer({ meanings, listeners: [], misses, strays }), "api")).toEqual([
			"service api: no listener leads to it",
			"",
			"backends without a listener here:",
			"",
			"  BACKEND          STATE        FOR  REASON",
			"  api/10.0.0.9:81  held (down)       nothing listens there now",
			"",
			"the nearest to it:",
			"",
			"  LISTENER                          WHY NOT",
			"  [::]:81 in netns 7, pid 5 (node)  hostname vm does not match api-*",
		]);
	});

	test("of a backend on another host says whose it is, and what became of it", () => {
		const meanings = [{ meaning: "backend", name: "web/10.0.1.1:80", listening: 0, closed: 0 }] as const;
		const history = [
			{ at: new Date(NOW - 9000).toISOString(), change: "backend", backend: "web/10.0.1.1:80", text: "left the pool" },
		] as const;
		const since = new Date(NOW - 5000).toISOString();
		const stray = {
			service: "web",
			id: "10.0.1.1:80",
			host: "b",
			state: "ready",
			held: false,
			since,
			history,
		} as const;
		const strays = [{ ...stray, reason: "it listens on host b" }];
		const shown = lines(answer({ meanings, listeners: [], strays }), "web/10.0.1.1:80");
		expect(shown.slice(2, 7)).toEqual([
			"backends without a listener here:",
			"",
			"  BACKEND          HOST  STATE  FOR  REASON",
			"  web/10.0.1.1:80  b     ready  5s   it listens on host b",
			"",
		]);
		expect(shown[7]).toMatch(/^ {2}WHEN +AGO +CHANGE$/);
		expect(shown[8]).toMatch(/ 9s +web\/10\.0\.1\.1:80 left the pool$/);
	});

	test("for no question has a line for each that is held up, and counts the others", () => {
		const others = { in: 1, unmatched: 9 };
		const held = listener({ verdict: { state: "pending", why: "x" }, waitingFor });
		expect(lines(answer({ meanings: [], listeners: [held], others }), "")).toEqual([
			"1 listener is on the way or held up; of the others 1 is in its pool, and no service matches 9",
			"",
			"NETNS  ADDRESS  PORT   PID  COMM   FOR  STATE",
			"blue   0.0.0.0    80  4711  nginx  1m   waits for address (web): it has none",
		]);
		expect(lines(answer({ meanings: [], listeners: [], others }), "")).toEqual([
			"nothing is held up: of the listeners 1 is in its pool, and no service matches 9",
		]);
	});

	test("fits the terminal", () => {
		const long = listener({
			verdict: { state: "pending", why: "x" },
			waitingFor: { ...waitingFor, text: "because ".repeat(40).trim() },
		});
		for (const line of lines(answer({ listeners: [long] }), "80", 100)) expect(line.length).toBeLessThanOrEqual(100);
	});
});

test("a time of today has milliseconds, another one its date", () => {
	expect(when(iso(9, 5, 7), NOW)).toBe("09:05:07.005");
	expect(when(new Date(2025, 11, 31, 23, 59, 58).toISOString(), NOW)).toBe("2025-12-31 23:59:58");
});
