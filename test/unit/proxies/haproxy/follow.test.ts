import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Backend, type BackendState, backendId } from "../../../../src/backends/backend.js";
import { templateContext } from "../../../../src/proxies/context.js";
import { parseDeclared } from "../../../../src/proxies/haproxy/declared.js";
import { createFollow } from "../../../../src/proxies/haproxy/follow.js";
import { slotContext } from "../../../../src/proxies/haproxy/rendering.js";
import type { Slot } from "../../../../src/proxies/haproxy/slots.js";
import { loadTemplate } from "../../../../src/proxies/render.js";
import { backend, PACKAGED, proxyConfig, service } from "../../../desired.js";
import { NOTHING, render } from "./model.js";

const SETTINGS = { slots: { min: 6 }, runtimeSocket: "/run/h.sock" };

async function setup(template = "haproxy-backends.cfg.hbs") {
	const proxy = proxyConfig(SETTINGS);
	const loaded = await loadTemplate(template, PACKAGED);
	return createFollow((of, slot) =>
		loaded.render(templateContext(proxy, "h", [of], new Map([[of.name, [slotContext(slot, of.weight)]]]))),
	);
}

const OTHERS = [service("api", [backend("api", "10.1.0.1")]), service("www", [], { balance: "leastconn", weight: 7 })];
const setOf = (backends: readonly Backend[]) => [...OTHERS, service("web", backends, { options: { maxconn: 9 } })];

describe("the file that follows", () => {
	test("is what was rendered, while nothing changes", async () => {
		const follow = await setup();
		expect(follow.text()).toBeUndefined();
		const { text, next } = render(NOTHING, setOf([]), SETTINGS).wanted;
		follow.planned(text, next, setOf([]));
		// nobody knows yet whether it was written
		expect(follow.text()).toBeUndefined();
		follow.written(text);
		expect(follow.text()).toBe(text);
	});

	test("takes a plan for a slot that it does not have, and for many at once", async () => {
		const follow = await setup();
		const { text, next } = render(NOTHING, setOf([]), SETTINGS).wanted;
		follow.planned(text, next, setOf([]));
		follow.written(text);
		follow.changed("web", { name: "s99", backend: backend("web", "10.0.0.1") });
		expect(follow.text()).toBeUndefined();
		follow.planned(text, next, setOf([]));
		follow.written(text);
		for (let index = 1; index <= 65; index++) follow.changed("web", { name: `s${index}`, backend: undefined });
		expect(follow.text()).toBeUndefined();
	});

	test.each(["haproxy-backends.cfg.hbs", "haproxy.cfg.hbs"])(
		"is the same as %s renders as a whole",
		async (template) => {
			const follow = await setup(template);
			const whole = await loadTemplate(template, PACKAGED);
			const states = fc.constantFrom<BackendState | "free">("ready", "drain", "down", "closing", "free");
			const changes = fc.array(fc.tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 250 }), states), {
				maxLength: 12,
			});
			fc.assert(
				fc.property(changes, (sequence) => {
					const start = render(NOTHING, setOf([]), SETTINGS).slots;
					const slots = new Map([...start].map(([name, of]) => [name, [...of]]));
					const textOf = () => {
						const contexts = new Map(
							[...slots].map(([name, of]) => {
								const weight = setOf([]).find((one) => one.name === name)?.weight ?? 100;
								return [name, of.map((slot) => slotContext(slot, weight))] as const;
							}),
						);
						return whole.render(templateContext(proxyConfig(SETTINGS), "h", setOf([]), contexts));
					};
					const first = textOf();
					follow.planned(first, parseDeclared(first), setOf([]));
					follow.written(first);
					for (const [number, host, state] of sequence) {
						const address = `10.0.0.${host}`;
						const slot: Slot = {
							name: `s${number}`,
							backend:
								state === "free" ? undefined : backend("web", address, 80, { id: backendId(address, 80), state }),
						};
						slots.get("web")?.splice(number - 1, 1, slot);
						follow.changed("web", slot);
					}
					expect(follow.text()).toBe(textOf());
				}),
			);
		},
	);
});
