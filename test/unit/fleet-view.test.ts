import { describe, expect, test } from "vitest";
import type { MemberStatus } from "../../src/fleet/registry.js";
import { fleetView } from "../../src/fleet-view.js";

const STATUS: MemberStatus = {
	registry: { state: "frozen", sinceMs: 5, why: "Redis does not answer" },
	publishing: { state: "behind", sinceMs: 6, why: "Redis does not answer" },
	draining: true,
	offers: 2,
	hosts: [
		{
			host: "b",
			zone: "north",
			version: "1.0.0",
			lease: 10_000,
			draining: false,
			services: [],
			state: "live",
			incarnation: 3,
			sequence: 4,
			offers: 5,
			leaseLeftMs: 1234.56,
			lagMs: 1.2345,
		},
		{
			host: "a",
			version: "1.0.0",
			lease: 1000,
			draining: true,
			services: [],
			state: "draining",
			incarnation: 1,
			sequence: 0,
			offers: 0,
		},
	],
	rejected: 1,
	lastRejected: "its weight is no number",
	wholeReads: 2,
	gaps: 3,
	publishMs: [0.123, 4],
};

describe("what a member of a fleet says", () => {
	const shown = (status: MemberStatus, zone?: string) =>
		fleetView(
			{
				cluster: "main",
				host: "edge",
				zone,
				member: { status: () => status, drain: () => Promise.resolve(undefined) },
			},
			(ms) => `at ${ms}`,
		);

	test("is shown with times, by the names of hosts, and without what is not known", () => {
		expect(shown(STATUS)).toEqual({
			cluster: "main",
			host: "edge",
			registry: { state: "frozen", since: "at 5", why: "Redis does not answer" },
			publishing: { state: "behind", since: "at 6", why: "Redis does not answer" },
			draining: true,
			offers: 2,
			hosts: [
				{ host: "a", state: "draining", version: "1.0.0", incarnation: 1, sequence: 0, backends: 0, leaseMs: 1000 },
				{
					host: "b",
					zone: "north",
					state: "live",
					version: "1.0.0",
					incarnation: 3,
					sequence: 4,
					backends: 5,
					leaseMs: 10_000,
					leaseLeftMs: 1235,
					lagMs: 1.2,
				},
			],
			rejected: 1,
			lastRejected: "its weight is no number",
			wholeReads: 2,
			gaps: 3,
			publishMs: [0.1, 4],
		});
	});

	test("is shown as it is where there is no time in it", () => {
		const { registry, publishing, zone } = shown(
			{ ...STATUS, registry: { state: "up" }, publishing: { state: "refused", why: "taken" } },
			"north",
		);
		expect({ registry, publishing, zone }).toEqual({
			registry: { state: "up" },
			publishing: { state: "refused", why: "taken" },
			zone: "north",
		});
	});
});
