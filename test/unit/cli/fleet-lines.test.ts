import { describe, expect, test } from "vitest";
import { fleetLines, fleetSummary } from "../../../src/cli/fleet-lines.js";
import { statusLines } from "../../../src/cli/status-lines.js";
import { daemonStatus, fleetView, hostView } from "../admin/status.js";

const NOW = Date.parse("2026-01-01T12:00:00Z");
const since = new Date(NOW - 65_000).toISOString();
const HOSTS = [
	hostView({ zone: "north", leaseLeftMs: 7812, lagMs: 1.23 }),
	hostView({ host: "app-2", state: "doubtful", backends: 40, leaseLeftMs: -200, sequence: 123 }),
];

describe("the fleet in the status for a person", () => {
	test("is one line under the first, and none where there is none", () => {
		const lines = statusLines(daemonStatus({ fleet: fleetView({ hosts: HOSTS }) }), NOW);
		expect(lines[1]).toBe("fleet default: 2 other hosts with 43 backends; this one tells of 2");
		expect(statusLines(daemonStatus(), NOW).join("\n")).not.toContain("fleet");
	});

	test("says what must not be overlooked, in plain characters", () => {
		const why = "Redis \u001b[31m is gone";
		expect(
			fleetSummary(
				fleetView({
					registry: { state: "frozen", since, why },
					publishing: { state: "behind", since, why },
					draining: true,
				}),
				NOW,
			).slice(1),
		).toEqual([
			"the registry is out of reach for 1m 5s, backends of other hosts stay as they are: Redis \\u{001b}[31m is gone",
			"what changed here waits to be told for 1m 5s: Redis \\u{001b}[31m is gone",
			"this host is drained: others send it no new work (drain-host --undo)",
		]);
		expect(fleetSummary(fleetView({ publishing: { state: "refused", why } }), NOW).slice(1)).toEqual([
			"others are told nothing of this host: Redis \\u{001b}[31m is gone",
		]);
	});

	test("in full is a table of the other hosts", () => {
		const fleet = fleetView({
			zone: "north",
			hosts: HOSTS,
			publishMs: [9, 0.84],
			rejected: 3,
			lastRejected: "app-2 \u0007: no JSON",
			wholeReads: 2,
			gaps: 1,
		});
		expect(fleetLines(fleet, NOW)).toEqual([
			"edge-1 in zone north, fleet default: 2 other hosts with 43 backends; this one tells of 2",
			"the registry is up and has all that this host tells: change 12 of incarnation 1700000000001, the last one within 0.8 ms",
			"",
			"HOST   ZONE   STATE     LEASE LEFT     LAG  SEQUENCE  VERSION  BACKENDS",
			"app-1  north  live           7.8 s  1.2 ms         7  1.2.3           3",
			"app-2  -      doubtful        over       -       123  1.2.3          40",
			"",
			"since the start: 2 hosts read in full, 1 gap in what was told",
			"3 of others' values rejected, the last one: app-2 \\u{0007}: no JSON",
		]);
	});

	test("in full says that nobody else is known, and that this host tells of nothing", () => {
		const fleet = fleetView({ publishing: { state: "off" } });
		expect(fleetLines(fleet, NOW)).toEqual([
			"edge-1, fleet default: 0 other hosts with 0 backends; this one tells of none",
			"the registry is up",
			"",
			"no other host is known",
			"",
			"since the start: 0 hosts read in full, 0 gaps in what was told",
		]);
	});
});
