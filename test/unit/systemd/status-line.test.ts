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
] as const)("the line of a daemon where %s", (_, summary, line) => {
	expect(statusLine(summary)).toBe(line);
});
