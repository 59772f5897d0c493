import { expect, test } from "vitest";
import { readProcessIdentity } from "../../../../src/fleet/redis/process-identity.js";

test("a process says which boot, machine and start it is of, and does not show the machine's own id", () => {
	const { boot, machine, start } = readProcessIdentity();
	expect(boot).toMatch(/^[0-9a-f-]{36}$/);
	expect(machine).toMatch(/^([0-9a-f]{32})?$/);
	expect(Number.isSafeInteger(start) && start > 0).toBe(true);
	expect(readProcessIdentity()).toEqual({ boot, machine, start });
});
