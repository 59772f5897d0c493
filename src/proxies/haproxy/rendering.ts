/** From a desired set to the text of HAProxy's file: who gets which slot, then the template. Pure but for the template. */

import type { DesiredService, DesiredSet } from "../../backends/backend.js";
import type { ProxyConfig } from "../../config/schema.js";
import { type SlotContext, servedBy, templateContext } from "../context.js";
import type { Template } from "../render.js";
import { type Declared, parseDeclared } from "./declared.js";
import type { HaproxyActual, Wanted } from "./plan.js";
import { assignSlots, type FoundSlot, NOWHERE, type Slot } from "./slots.js";

/** The weight of a free slot where nobody tells another one. */
const DEFAULT_WEIGHT = 100;

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
	actual: Pick<HaproxyActual, "file" | "live">,
	desired: DesiredSet,
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
	const draining = new Map(
		[...slots].map(([name, of]) => [
			name,
			new Map(
				of.flatMap(({ name: server, backend }) =>
					backend?.state === "drain" ? [[server, backend.weight] as const] : [],
				),
			),
		]),
	);
	const text = template.render(templateContext(proxy, host, desired, contexts));
	const ids = services.flatMap(({ backends }) => backends.map(({ id }) => id));
	const checksOff = proxy.fallbackChecks ? new Set<string>(ids) : undefined;
	const next = text === file.text ? last : parseDeclared(text);
	return { wanted: { text, next, last, draining, dynamic, checksOff }, slots };
}

/** The running HAProxy knows best, of the backends that our file has brought to it; else the file does. */
function foundSlots(service: string, live: HaproxyActual["live"], declared: Declared): FoundSlot[] {
	const running = live.state === "known" && declared.has(service) ? live.servers.get(service) : undefined;
	const nowhere = `${NOWHERE.address}:${NOWHERE.port}`;
	const idOf = (address: string | undefined) => (address === nowhere ? undefined : address);
	if (running !== undefined) {
		return [...running].map(([name, { address, admin }]) => ({ name, id: idOf(address), inUse: admin === "ready" }));
	}
	return [...(declared.get(service) ?? [])].map(([name, { address, disabled }]) => ({
		name,
		id: idOf(address),
		inUse: !disabled,
	}));
}

function slotContexts({ backends }: DesiredService, slots: readonly Slot[] = []): SlotContext[] {
	const weight = backends[0]?.weight ?? DEFAULT_WEIGHT;
	return slots.map(({ name, backend }) =>
		backend === undefined
			? { name, ...NOWHERE, weight, state: "free" }
			: { name, address: backend.address, port: backend.port, weight: backend.weight, state: backend.state },
	);
}
