import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { DesiredSet } from "../../../../src/backends/backend.js";
import { templateContext } from "../../../../src/proxies/context.js";
import { type Declared, parseDeclared } from "../../../../src/proxies/haproxy/declared.js";
import { type HaproxyActual, type HaproxyStep, planHaproxy } from "../../../../src/proxies/haproxy/plan.js";
import { loadTemplate } from "../../../../src/proxies/render.js";
import { backend, PACKAGED, proxyConfig, service, web } from "../fixtures.js";

const template = await loadTemplate("haproxy-backends.cfg.hbs", PACKAGED);
const textOf = (desired: DesiredSet) => template.render(templateContext(proxyConfig(), "h", desired));

const known = (servers: Declared, worker = "1/1") => ({ state: "known" as const, worker, servers });
const kinds = (steps: readonly HaproxyStep[]) => steps.map(({ kind }) => kind);

describe("the plan for HAProxy", () => {
	const text = textOf(web("10.0.0.1"));
	const other = textOf(web("10.0.0.2"));
	const inStep: HaproxyActual = { file: { text, confirmed: true }, live: known(parseDeclared(text)) };

	test("has no step when file and live state match, as after a restart of the daemon", () => {
		expect(planHaproxy(inStep, text)).toEqual({ steps: [], reload: false, diff: { joined: [], left: [] } });
	});

	test("writes and reloads when the file differs, and says who joins and leaves", () => {
		const plan = planHaproxy(inStep, other);
		expect(kinds(plan.steps)).toEqual(["write", "reload"]);
		expect(plan).toMatchObject({ reload: true, diff: { joined: ["web/10.0.0.2:80"], left: ["web/10.0.0.1:80"] } });
	});

	test("only reloads when the file is right and the live state lacks something", () => {
		const plan = planHaproxy({ ...inStep, live: known(parseDeclared(other)) }, text);
		expect(kinds(plan.steps)).toEqual(["reload"]);
		expect(plan.diff).toEqual({ joined: ["web/10.0.0.1:80"], left: ["web/10.0.0.2:80"] });
	});

	test("reloads when nobody knows whether HAProxy has read the file", () => {
		const file = { text, confirmed: false };
		expect(kinds(planHaproxy({ ...inStep, file }, text).steps)).toEqual(["reload"]);
		expect(kinds(planHaproxy({ file, live: { state: "unknown" } }, text).steps)).toEqual(["reload"]);
	});

	test("takes the file's word when there is no runtime socket", () => {
		expect(planHaproxy({ file: inStep.file, live: { state: "unknown" } }, text).steps).toEqual([]);
		expect(kinds(planHaproxy({ file: inStep.file, live: { state: "unknown" } }, other).steps)).toEqual([
			"write",
			"reload",
		]);
	});

	test("writes and does not reload a HAProxy that does not run", () => {
		const live = { state: "down" as const, why: "nobody is there" };
		const plan = planHaproxy({ file: inStep.file, live }, other);
		expect(kinds(plan.steps)).toEqual(["write"]);
		expect(plan).toMatchObject({ reload: false, unreachable: "nobody is there" });
		expect(planHaproxy({ file: inStep.file, live }, text).steps).toEqual([]);
		expect(kinds(planHaproxy({ file: { confirmed: true }, live }, text).steps)).toEqual(["write"]);
	});

	test("does nothing to a HAProxy that does not answer", () => {
		const live = { state: "mute" as const, why: "busy" };
		expect(planHaproxy({ file: inStep.file, live }, other)).toMatchObject({ steps: [], unreachable: "busy" });
	});

	test("does not look at backends and servers that the file does not declare", () => {
		const live = new Map([...parseDeclared(text), ["own", new Map([["s", "10.9.9.9:1"]])]]);
		live.set("web", new Map([...(live.get("web") ?? []), ["runtime", "10.9.9.9:2"]]));
		expect(planHaproxy({ ...inStep, live: known(live) }, text).steps).toEqual([]);
		expect(planHaproxy({ ...inStep, live: known(live) }, other).diff.left).toEqual(["web/10.0.0.1:80", "web/runtime"]);
	});
});

describe("for any actual state and any desired set", () => {
	const desiredSets = fc.uniqueArray(fc.constantFrom("api", "db", "web")).chain((names) =>
		fc.tuple(
			...names.sort().map((name) =>
				fc
					.uniqueArray(fc.tuple(fc.constantFrom("10.0.0.1", "10.0.0.2", "fd00::1"), fc.integer({ min: 80, max: 82 })), {
						selector: ([address, port]) => `${address}:${port}`,
						maxLength: 5,
					})
					.map((places) =>
						service(
							name,
							places.map(([address, port]) => backend(name, address, port)),
						),
					),
			),
		),
	);
	const texts = fc.oneof(desiredSets.map(textOf), fc.constant("backend web\n\tserver 10.0.0.1:80 10.0.0.1:81\n"));
	const declared = texts.map(parseDeclared);
	const lives: fc.Arbitrary<HaproxyActual["live"]> = fc.oneof(
		declared.map((servers) => known(servers)),
		fc.constant({ state: "unknown" as const }),
		fc.constant({ state: "down" as const, why: "down" }),
	);
	const actuals: fc.Arbitrary<HaproxyActual> = fc
		.record({
			file: fc.record(
				{ text: fc.option(texts, { nil: undefined }), confirmed: fc.boolean() },
				{ requiredKeys: ["confirmed"] },
			),
			live: lives,
		})
		.map(({ file: { text, confirmed }, live }) => ({ file: { ...(text !== undefined && { text }), confirmed }, live }));

	/** HAProxy as a model: a write changes the file, a reload makes a new worker that reads it. */
	function carryOut(actual: HaproxyActual, steps: readonly HaproxyStep[]): HaproxyActual {
		let { file, live } = actual;
		for (const step of steps) {
			switch (step.kind) {
				case "write":
					file = { ...file, text: step.text };
					break;
				case "reload":
					file = { ...file, confirmed: true };
					if (live.state === "known") live = known(parseDeclared(file.text ?? ""), `${live.worker}+`);
					break;
				default:
					step satisfies never;
			}
		}
		return { file, live };
	}

	test("the steps lead to the desired set, and then there is nothing left to do", () => {
		fc.assert(
			fc.property(actuals, desiredSets, (actual, desired) => {
				const text = textOf(desired);
				const after = carryOut(actual, planHaproxy(actual, text).steps);
				expect(after.file.text).toBe(text);
				if (after.live.state === "known") {
					for (const { name, backends } of desired) {
						const live = after.live.servers.get(name);
						expect(live).toBeDefined();
						for (const { id, address, port } of backends) expect(live?.get(id)).toBe(`${address}:${port}`);
					}
				}
				expect(planHaproxy(after, text)).toMatchObject({ steps: [], reload: false });
			}),
		);
	});

	test("a plan reloads exactly when one of its steps does, and never without a reason", () => {
		fc.assert(
			fc.property(actuals, desiredSets, (actual, desired) => {
				const { steps, reload } = planHaproxy(actual, textOf(desired));
				expect(steps.some(({ kind }) => kind === "reload")).toBe(reload);
				if (actual.live.state === "down") expect(reload).toBe(false);
			}),
		);
	});
});
