import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Master } from "../../../../src/proxies/nginx/master.js";
import { type NginxActual, planNginx } from "../../../../src/proxies/nginx/plan.js";

const OLD = "upstream web { server 10.0.0.1:80; }";
const NEW = "upstream web { server 10.0.0.2:80; }";
const running: Master = { state: "running", pid: 1, workers: [2] };
const down: Master = { state: "down", why: "there is no nginx.pid (start Nginx)" };
const write = { kind: "write", text: NEW };
const reload = { kind: "reload" };

describe.each<{ title: string; master: Master }>([
	{ title: "an Nginx that runs", master: running },
	{ title: "one without a pid file", master: { state: "unknown" } },
])("for $title", ({ master }) => {
	test("nothing is to be done when it has read the same text", () => {
		const plan = planNginx({ file: { text: NEW, confirmed: true }, master }, NEW);
		expect(plan).toEqual({ steps: [], reload: false, diff: { joined: [], left: [] } });
	});

	test("another text is written and loaded", () => {
		const plan = planNginx({ file: { text: OLD, confirmed: true }, master }, NEW);
		expect(plan.steps).toEqual([write, reload]);
		expect(plan).toMatchObject({ reload: true, diff: { joined: ["web/10.0.0.2:80"], left: ["web/10.0.0.1:80"] } });
	});

	test("the same text that may not have been read is loaded", () => {
		expect(planNginx({ file: { text: NEW, confirmed: false }, master }, NEW).steps).toEqual([reload]);
	});

	test("a first file is written and loaded", () => {
		expect(planNginx({ file: { confirmed: true }, master }, NEW).steps).toEqual([write, reload]);
	});
});

test("an Nginx that is down gets its file, and is reported", () => {
	const plan = planNginx({ file: { text: OLD, confirmed: true }, master: down }, NEW);
	expect(plan).toMatchObject({ steps: [write], reload: false, unreachable: "there is no nginx.pid (start Nginx)" });
	expect(planNginx({ file: { text: NEW, confirmed: false }, master: down }, NEW).steps).toEqual([]);
});

test("carried out, a plan leads to a state for which there is nothing left to do, whatever there was", () => {
	const text = fc.constantFrom(OLD, NEW, "", "upstream {");
	const actual = fc.record({
		file: fc.oneof(fc.record({ confirmed: fc.boolean() }), fc.record({ text, confirmed: fc.boolean() })),
		master: fc.constantFrom<Master>(running, down, { state: "unknown" }),
	});
	fc.assert(
		fc.property(actual, text, (before, wanted) => {
			const { steps } = planNginx(before, wanted);
			const after = steps.reduce<NginxActual>(
				({ file, master }, step) => ({
					file: step.kind === "write" ? { text: step.text, confirmed: false } : { ...file, confirmed: true },
					master,
				}),
				before,
			);
			expect(after.file.text).toBe(wanted);
			expect(planNginx(after, wanted).steps).toEqual([]);
			// What was written while it was down is loaded once it is up.
			const up = planNginx({ ...after, master: running }, wanted).steps;
			expect(up).toEqual(after.file.confirmed ? [] : [reload]);
		}),
	);
});
