import { expect, test } from "vitest";
import { reconnectDelayMs } from "../../../../src/fleet/redis/backoff.js";

test("the pauses double up to a second, each a little different", () => {
	expect([1, 2, 3, 4, 5, 6, 50].map((failures) => reconnectDelayMs(failures, 0.5))).toEqual([
		50, 100, 200, 400, 800, 1000, 1000,
	]);
	expect(reconnectDelayMs(9, 0.999, 1000)).toBeLessThan(350);
	expect([reconnectDelayMs(9, 0), reconnectDelayMs(9, 0.999)]).toEqual([700, 1299]);
});
