import { describe, expect, test } from "vitest";
import { type Facts, type Out, reasonOf, type Span } from "../../bench/drill/course.js";

const LEASE_MS = 3000;

const out = (inMs: number, outMs: number): Out => ({ place: "10.0.0.1:8000", inMs, outMs, backMs: undefined });
const facts = ({ closed = [], silent = [] }: { closed?: Span[]; silent?: Span[] }): Facts => ({
	closed: () => closed,
	silent: () => silent,
});
const span = (fromMs: number, toMs: number): Span => ({ fromMs, toMs });

describe("why a server was out", () => {
	test("nobody listened there, just before or then", () => {
		expect(reasonOf(out(990, 1000), facts({ closed: [span(995, 2000)] }), LEASE_MS)).toBe("closed");
		expect(reasonOf(out(5990, 6000), facts({ closed: [span(100, 200)] }), LEASE_MS)).toBe("closed");
		expect(reasonOf(out(9990, 10_000), facts({ closed: [span(100, 200)] }), LEASE_MS)).toBe("none");
		expect(reasonOf(out(990, 1000), facts({ closed: [span(1001, 2000)] }), LEASE_MS)).toBe("none");
	});

	test("its host told nothing for a lease, and no shorter", () => {
		const silent = [span(1000, Number.POSITIVE_INFINITY)];
		expect(reasonOf(out(3990, 4000), facts({ silent }), LEASE_MS)).toBe("lease");
		expect(reasonOf(out(1990, 2000), facts({ silent }), LEASE_MS)).toBe("none");
		expect(reasonOf(out(3990, 4000), facts({ silent: [span(1000, 1500)] }), LEASE_MS)).toBe("none");
		expect(reasonOf(out(8990, 9000), facts({ silent: [span(1000, 4000)] }), LEASE_MS)).toBe("none");
	});

	test("nothing, where nothing was so", () => {
		expect(reasonOf(out(990, 1000), facts({}), LEASE_MS)).toBe("none");
	});
});
