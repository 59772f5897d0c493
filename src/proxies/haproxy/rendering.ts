/** From a desired set to the text of HAProxy's file: who gets which slot, then the template. Pure but for the template. */

import type { DesiredService, DesiredSet } from "../../backends/backend.js";
import type { ProxyConfig } from "../../config/schema.js";
import { type SlotContext, servedBy, templateContext } from "../context.js";
import type { Template } from "../render.js";
import { aimOf, weightOf } from "./aim.js";
import { type Declared, parseDeclared } from "./declared.js";
import type { HaproxyActual, Wanted } from "./plan.js";
import { assignSlots, type FoundSlot, NO_PLACE, NOWHERE, type Slot } from "./slots.js";

/** From which version on servers can be added and deleted at run time without harm. */
const DYNAMIC_SINCE = 3;

/**
 * The balance algorithms that take servers at run time. `static-rr` and those that hash into a map do not, unless with
 * `hash-type consistent`, which is not known here (management guide, "add server").
 */
const DYNAMIC_BALANCE = /^(roundrobin|leastconn|first|random(\(\d+\))?)$/;

export interface Rendering {
	readonly wanted: Wanted;
	/** By service. */
	readonly slots: ReadonlyMap<string, readonly Slot[]>;
}

/** Renders what is desired; backends keep the slots in which they are found. */
export function renderHaproxy(
	{ proxy, host, template }: { proxy: ProxyConfig; host: string; template: Template },
	actual: HaproxyActual,
	desired: DesiredSet,
	refused: ReadonlySet<string> = new Set(),
): Rendering {
	const { live, file } = actual;
	const last = parseDeclared(file.text ?? "");
	const canAdd = live.state === "known" && live.version[0] >= DYNAMIC_SINCE;
	const services = servedBy(proxy, desired);
	const dynamic = new Set(
		services.filter(({ balance }) => canAdd && DYNAMIC_BALANCE.test(balance)).map(({ name }) => name),
	);
	const slots = new Map(
		services.map(({ name, backends }) => [
			name,
			assignSlots(foundSlots(name, live, last.backends), backends, { ...proxy.slots, dynamic: dynamic.has(name) }),
		]),
	);
	const contexts = new Map(services.map((service) => [service.name, slotContexts(service, slots.get(service.name))]));
	const text = template.render(templateContext(proxy, host, desired, contexts));
	const ids = services.flatMap(({ backends }) => backends.map(({ id }) => id));
	const checksOff = proxy.fallbackChecks ? new Set<string>(ids) : undefined;
	const next = text === file.text ? last : parseDeclared(text);
	const aims = new Map(
		[...slots].flatMap(([service, of]) => {
			const lines = next.backends.get(service);
			// A template may name its servers otherwise; then its lines are all that is known.
			if (lines === undefined || !of.every(({ name }) => lines.has(name))) return [];
			const aim = ({ name, backend }: Slot) => [name, aimOf(backend, lines.get(name)?.options ?? "")] as const;
			return [[service, new Map(of.map(aim))] as const];
		}),
	);
	return { wanted: { text, next, last, aims, dynamic, checksOff, refused }, slots };
}

/** The running HAProxy knows best, of the backends that our file has brought to it; else the file does. */
function foundSlots(service: string, live: HaproxyActual["live"], declared: Declared): FoundSlot[] {
	const running = live.state === "known" && declared.has(service) ? live.servers.get(service) : undefined;
	const idOf = (address: string | undefined) => (address === NO_PLACE ? undefined : address);
	if (running !== undefined) {
		return [...running].map(([name, { address, admin }]) => ({ name, id: idOf(address), inUse: admin === "ready" }));
	}
	return [...(declared.get(service) ?? [])].map(([name, { address, disabled }]) => ({
		name,
		id: idOf(address),
		inUse: !disabled,
	}));
}

function slotContexts({ weight }: DesiredService, slots: readonly Slot[] = []): SlotContext[] {
	return slots.map((slot) => slotContext(slot, weight));
}

/** @param weight of a free slot: a static algorithm takes no other one later */
export function slotContext({ name, backend }: Slot, weight: number): SlotContext {
	if (backend === undefined) return { name, ...NOWHERE, weight, state: "free" };
	return { name, address: backend.address, port: backend.port, weight: weightOf(backend), state: backend.state };
}
