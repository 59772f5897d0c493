import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ComparedView } from "../../../src/admin/view.js";
import { statusLines } from "../../../src/cli/status-lines.js";
import { span } from "../../../src/span.js";
import { daemonStatus, proxyView } from "../admin/status.js";

const NOW = Date.parse("2026-01-01T12:00:00Z");

describe("the status for a person", () => {
	test("has services with their backends, then proxies", () => {
		const status = daemonStatus({
			uptimeMs: 7_500_000,
			services: [
				{ name: "api", backends: [] },
				{
					name: "web",
					backends: [
						{ id: "10.0.0.1:80", state: "ready", held: false, reason: "it listens", since: "2026-01-01T11:59:55.000Z" },
						{
							id: "10.0.0.2:80",
							state: "drain",
							held: true,
							reason: "a person drained it",
							since: "2026-01-01T11:00:00.000Z",
						},
						{
							id: "10.0.0.3:80",
							state: "drain",
							held: false,
							reason: "told to stop",
							since: "2026-01-01T12:00:00.000Z",
						},
					],
				},
			],
			holds: [
				{ service: "web", id: "10.0.0.2:80", state: "drain" },
				{ service: "web", id: "10.0.0.9:80", state: "down" },
			],
			proxies: [
				proxyView({
					applied: 3,
					reloads: 2,
					failed: 0,
					fastChanges: 140,
					lastApplied: { at: "2026-01-01T11:58:00.000Z", stagesMs: {} },
				}),
			],
		});
		expect(statusLines(status, NOW)).toEqual([
			"solistend 1.2.3 on edge-1, pid 4711, up 2h 5m; 12 listeners on this host",
			"",
			"SERVICE  BACKEND      STATE         SINCE   REASON",
			"api      none",
			"web      10.0.0.1:80  ready         5s ago  it listens",
			"web      10.0.0.2:80  held (drain)  1h ago  a person drained it",
			"web      10.0.0.3:80  drain         0s ago  told to stop",
			"",
			"held, and not there now: web/10.0.0.9:80 (down)",
			"",
			"PROXY  TYPE     STATE    LAST CHANGE  CHANGES  FAST LANE  RELOADS  FAILURES",
			"edge   haproxy  applied  2m ago             3        140        2         0",
		]);
	});

	test("says why a proxy failed, what one that is observed would get, and what was lost", () => {
		const status = daemonStatus({
			proxies: [
				proxyView({
					state: "failed",
					why: "haproxy -c failed: \u001b[31mline 3",
					serving: "the previous configuration",
					failed: 4,
				}),
				proxyView({ name: "watched", state: "observing", steps: ["write /a", "reload"] }),
			],
			losses: { ringFull: 5, tableFull: 0, workerDeaths: 1 },
		});
		expect(statusLines(status, NOW).slice(2)).toEqual([
			"no services are configured",
			"",
			"PROXY    TYPE     STATE      LAST CHANGE  CHANGES  FAST LANE  RELOADS  FAILURES",
			"edge     haproxy  failed     -                  0          0        0         4",
			"watched  haproxy  observing  -                  0          0        0         0",
			"",
			"edge: haproxy -c failed: \\u{001b}[31mline 3",
			"edge: it goes on serving the previous configuration",
			"",
			"watched: would write /a",
			"watched: would reload",
			"",
			"lost since the start, and repaired by reading the kernel's table: ringFull 5, workerDeaths 1",
		]);
	});
});

test("a sensor that is down comes before all else, in plain characters", () => {
	const since = new Date(NOW - 65_000).toISOString();
	const sensor = { state: "down", since, why: "the watcher thread died: \u001b[31m" } as const;
	expect(statusLines(daemonStatus({ sensor }), NOW).slice(1, 4)).toEqual([
		"",
		"the sensor is down for 1m 5s, backends stay as they are: the watcher thread died: \\u{001b}[31m",
		"",
	]);
});

test("what is observed has a line on how its own checks did", () => {
	const nothing = { onlyInProxy: [], onlyInSolistend: [], downInProxy: [], unchecked: [] };
	const compared = { up: { count: 0 }, down: { count: 0 }, unnoticed: 0, byChecksAlone: 0, ...nothing };
	const lineOf = (changes: Partial<ComparedView>) =>
		statusLines(
			daemonStatus({ proxies: [proxyView({ state: "observing", compared: { ...compared, ...changes } })] }),
			NOW,
		).at(-1);
	expect(lineOf({})).toBe("edge: its own checks, compared with the kernel: no up yet; no down yet");
	expect(
		lineOf({
			up: { count: 3, medianMs: 2104, maxMs: 2316 },
			down: { count: 1, medianMs: 4021, maxMs: 4021 },
			unnoticed: 2,
			onlyInProxy: ["old/legacy"],
		}),
	).toBe(
		"edge: its own checks, compared with the kernel: 3 up seen 2.10 s later (median; at most 2.32 s); 1 down seen 4.02 s later (median; at most 4.02 s); 2 not noticed; 1 only in the proxy",
	);
});

describe("a span of time", () => {
	test.each([
		[0, "0s"],
		[-5, "0s"],
		[59_999, "59s"],
		[60_000, "1m"],
		[3_599_000, "59m 59s"],
		[3_600_000, "1h"],
		[86_400_000 * 400 + 3_600_000, "400d 1h"],
	])("of %d ms is %s", (ms, text) => {
		expect(span(ms)).toBe(text);
	});

	test("has two units at most, and is never rounded up", () => {
		const sizes = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000 } as const;
		const size = (part: string) => Object.entries(sizes).find(([unit]) => part.endsWith(unit))?.[1] ?? Number.NaN;
		fc.assert(
			fc.property(fc.nat(1_000_000_000), (ms) => {
				const parts = span(ms).split(" ");
				const told = parts.reduce((sum, part) => sum + Number(part.slice(0, -1)) * size(part), 0);
				// what comes below the larger of the two
				const below = Math.max(...Object.values(sizes).filter((unit) => unit < size(parts[0] ?? "")), 1000);
				expect(parts.length).toBeLessThanOrEqual(2);
				expect(ms - told).toBeGreaterThanOrEqual(0);
				expect(ms - told).toBeLessThan(below);
			}),
		);
	});
});
