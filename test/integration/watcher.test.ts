import { describe, expect, test } from "vitest";
import { startWatcher } from "../../src/sensor/watcher.js";
import { requirePrivileges, skipPrivileged } from "../host/privileges.js";

requirePrivileges();

describe.skipIf(skipPrivileged)("a worker that can't read the ring buffer", () => {
	test("ends, says why, and can be closed all the same", async () => {
		let watcher: ReturnType<typeof startWatcher> | undefined;
		const reason = await new Promise<string>((resolve) => {
			watcher = startWatcher({
				eventsFd: -1,
				lossesFd: -1,
				onWatching: () => undefined,
				onEvents: () => undefined,
				onLosses: () => undefined,
				onBehind: () => undefined,
				onStall: () => undefined,
				onHung: () => undefined,
				onAnswer: () => undefined,
				onDeath: resolve,
				onStuck: () => undefined,
			});
		});
		expect(reason).toContain("cannot open the ring buffer: ");
		await watcher?.close();
	});
});
