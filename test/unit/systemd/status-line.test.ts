import { expect, test } from "vitest";
import { statusLine } from "../../../src/systemd/status-line.js";

const FINE = { services: 2, ready: 3, out: 0, proxies: [{ name: "edge", state: "applied" }], sensor: "up" } as const;

test.each([
	["all is well", FINE, "2 services with 3 ready backends; proxy fine"],
	[
		"somebody is out",
		{ ...FINE, services: 1, ready: 1, out: 2 },
		"1 service with 1 ready backend and 2 out; proxy fine",
	],
	["there are no proxies", { ...FINE, proxies: [] }, "2 services with 3 ready backends"],
	[
		"something is wrong, which comes first",
		{ ...FINE, sensor: "down", proxies: [...FINE.proxies, { name: "inner", state: "failed" }] },
		"the sensor is down: pools stay as they are; proxy inner is failed; 2 services with 3 ready backends; other proxy fine",
	],
	["other hosts are known, too", { ...FINE, fleet: { state: "up" } }, "2 services with 3 ready backends; proxy fine"],
	[
		"the fleet is frozen: why, without the mend",
		{
			...FINE,
			fleet: { state: "frozen", why: "nobody listens at 10.0.0.5:6379 (does Redis run there? see fleet.redis)" },
		},
		"the fleet is frozen: nobody listens at 10.0.0.5:6379; 2 services with 3 ready backends; proxy fine",
	],
	[
		"the fleet is frozen, for a reason that would fill the line",
		{ ...FINE, fleet: { state: "frozen", why: "x".repeat(500) } },
		`the fleet is frozen: ${"x".repeat(79)}…; 2 services with 3 ready backends; proxy fine`,
	],
] as const)("the line of a daemon where %s", (_, summary, line) => {
	expect(statusLine(summary)).toBe(line);
});
