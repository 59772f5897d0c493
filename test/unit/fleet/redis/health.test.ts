import { expect, test } from "vitest";
import { createHealth } from "../../../../src/fleet/redis/health.js";
import type { RegistryState } from "../../../../src/fleet/registry.js";

test("it is frozen since the first trouble until the last is over, and says what stops it", () => {
	const states: RegistryState[] = [];
	const health = createHealth(5, "not connected yet", (state) => states.push(state));
	expect(health.state).toEqual({ state: "frozen", sinceMs: 5, why: "not connected yet" });
	health.right("looks", 6);
	health.right("reads", 7);
	health.wrong("stream", "a", 10);
	health.wrong("stream", "a", 11);
	health.wrong("reads", "not read yet", 12);
	health.wrong("looks", "b", 13);
	expect(health.isReachable).toBe(false);
	health.right("looks", 14);
	health.right("stream", 15);
	expect(health.isReachable).toBe(true);
	health.right("reads", 16);
	health.right("reads", 17);
	expect(states).toEqual([
		{ state: "up" },
		{ state: "frozen", sinceMs: 10, why: "a" },
		{ state: "frozen", sinceMs: 10, why: "b" },
		{ state: "frozen", sinceMs: 10, why: "a" },
		{ state: "frozen", sinceMs: 10, why: "not read yet" },
		{ state: "up" },
	]);
});
