import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { changesBetween } from "../../../src/admin/changes.js";
import type { BackendView, DaemonStatus } from "../../../src/admin/view.js";
import { after } from "../../../src/cli/follow.js";
import { daemonStatus, fleetView, hostView, proxyView } from "./status.js";

const since = fc.integer({ min: 0, max: 3 }).map((s) => `2026-01-01T00:00:0${s}.000Z`);
const backend = fc.record(
	{
		id: fc.integer({ min: 1, max: 6 }).map((n) => `10.0.0.${n}:80`),
		state: fc.constantFrom("ready", "closing", "drain", "down", "out"),
		held: fc.boolean(),
		reason: fc.constantFrom("it listens", "told to stop"),
		since,
		host: fc.constantFrom("app-1", "app-2"),
	},
	{ requiredKeys: ["id", "state", "held", "reason", "since"] },
);
const backends = fc
	.uniqueArray(backend, { selector: ({ id }) => id, maxLength: 6 })
	.map((all): BackendView[] => all.toSorted((a, b) => (a.id < b.id ? -1 : 1)));
const status = fc
	.record({
		services: fc.record({ web: backends, api: backends }),
		isDown: fc.boolean(),
		applied: fc.nat(2),
		listeners: fc.nat(2),
		hosts: fc.option(fc.nat(2), { nil: undefined }),
		uptimeMs: fc.nat(),
	})
	.map(({ services, isDown, applied, listeners, hosts, uptimeMs }) =>
		daemonStatus({
			uptimeMs,
			listeners,
			services: Object.entries(services).map(([name, all]) => ({ name, backends: all })),
			proxies: [proxyView({ applied }), proxyView({ name: "other", applied: 7 })],
			...(isDown && { sensor: { state: "down", since: "2026-01-01T00:00:00.000Z", why: "it died" } as const }),
			...(hosts !== undefined && { fleet: fleetView({ hosts: [hostView({ sequence: hosts })] }) }),
		}),
	);

/** As whoever follows has it: uptime aside, and a backend that is new in a place of its own. */
const compared = (value: DaemonStatus) => ({
	...value,
	uptimeMs: 0,
	services: value.services.map(({ name, backends: all }) => ({
		name,
		backends: all.toSorted((a, b) => (a.id < b.id ? -1 : 1)),
	})),
});

describe("the changes from one status to the next", () => {
	test("make the next one of the first one, for whoever follows", () => {
		fc.assert(
			fc.property(status, status, (before, now) => {
				const events: { event: string; data: unknown }[] = changesBetween(before, now);
				const got = events.reduce<DaemonStatus | undefined>(
					(all, { event, data }) => after(all, event, JSON.parse(JSON.stringify(data))) ?? all,
					before,
				);
				expect(compared(got ?? before)).toEqual(compared(now));
			}),
		);
	});

	test("are none when all is the same but the time", () => {
		fc.assert(
			fc.property(status, (one) => {
				expect(changesBetween(one, structuredClone({ ...one, uptimeMs: 1 }))).toEqual([]);
			}),
		);
	});

	test("are the whole status when too much changed", () => {
		const many = Array.from({ length: 600 }, (_, i): BackendView => {
			const id = `10.0.${i >> 8}.${i & 255}:80`;
			return { id, state: "ready", held: false, reason: "it listens", since: "2026-01-01T00:00:00.000Z" };
		});
		const of = (all: BackendView[]) => daemonStatus({ services: [{ name: "web", backends: all }] });
		expect(changesBetween(of([]), of(many)).map(({ event }) => event)).toEqual(["status"]);
		expect(changesBetween(of(many), of(many.slice(1)))).toEqual([
			{ event: "backend-gone", data: { service: "web", id: "10.0.0.0:80" } },
		]);
	});
});
