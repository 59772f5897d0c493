import { describe, expect, it } from "vitest";
import { outageOf } from "../../bench/rig/outage.js";

const course = { beganMs: 1000, eventMs: 1010, seenMs: 1030 };
const request = (dueMs: number, status = 200, tookMs = 2) => ({ dueMs, status, tookMs });

describe("outage", () => {
	it("counts from the event until the server was seen to be out", () => {
		expect(outageOf([], course, 100).outMs).toBe(20);
		expect(outageOf([], { ...course, seenMs: undefined }, 100).outMs).toBeUndefined();
	});

	it("tells what failed late from what was asked before the server was out", () => {
		const requests = [request(1005, 504), request(1020, 502), request(1030, 504), request(1031, 503), request(1040)];
		expect(outageOf(requests, course, 100)).toMatchObject({ failed: 4, broken: 1, late: 1 });
	});

	it("calls every failure late where the server never was out", () => {
		const requests = [request(1005, 504), request(5000, 0)];
		expect(outageOf(requests, { ...course, seenMs: undefined }, 100).late).toBe(2);
	});

	it("looks only at the first while of the fault for how long answers took", () => {
		const requests = [request(999, 200, 50), request(1000, 200, 3), request(1099, 200, 7), request(1100, 200, 60)];
		expect(outageOf(requests, course, 100).p99).toBe(7);
	});
});
