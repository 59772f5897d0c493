/**
 * Which server line of HAProxy's file stands for which backend. Servers are declared ahead as slots (`s1`, `s2`, …), so
 * that a backend joins by a command instead of a reload. A backend keeps its slot for as long as that has its address:
 * over restarts of the daemon, reloads of HAProxy, and its own. Pure.
 */

import type { Backend } from "../../backends/backend.js";

/** A slot as it was found; of what the slot had before. */
export interface FoundSlot {
	readonly name: string;
	/** The backend id that it has, or had last; undefined when none. */
	readonly id: string | undefined;
	/** Whether it serves now: of two slots with one address that one is kept. */
	readonly inUse: boolean;
}

/** A slot as it is to be. */
export interface Slot {
	readonly name: string;
	/** Undefined: it is free. */
	readonly backend: Backend | undefined;
}

export interface SlotPolicy {
	/** How many there are at least. */
	readonly min: number;
	/** By which factor they grow. */
	readonly growth: number;
	/** Whether servers can be added at run time: then there is no need to grow ahead. */
	readonly dynamic: boolean;
}

/** Where a free slot points to in the file: nobody listens there, and it is disabled besides. */
export const NOWHERE = { address: "127.0.0.1", port: 1 } as const;

/** The same as a server's address is compared. */
export const NO_PLACE = `${NOWHERE.address}:${NOWHERE.port}`;

/** Unless they can be added at run time, an eighth of the slots, two at least, is kept free: growing comes before the last is taken. */
const SPARE = 1 / 8;

/** Whether a server's name is one of ours. */
export function isSlotName(name: string): boolean {
	return /^s[1-9]\d{0,5}$/.test(name);
}

/** The slots for these backends, by number. */
export function assignSlots(
	found: readonly FoundSlot[],
	backends: readonly Backend[],
	{ min, growth, dynamic }: SlotPolicy,
): Slot[] {
	const known = found.filter(({ name }) => isSlotName(name)).sort((a, b) => numberOf(a.name) - numberOf(b.name));
	const byId = new Map<string, string>();
	for (const { name, id, inUse } of known) {
		if (id !== undefined && (inUse || !byId.has(id))) byId.set(id, name);
	}
	const occupied = new Map<string, Backend>();
	const homeless: Backend[] = [];
	for (const backend of backends) {
		const name = byId.get(backend.id);
		if (name === undefined) homeless.push(backend);
		else occupied.set(name, backend);
	}
	// Those that had nobody first: whoever left may come back to its own.
	const free = known.filter(({ name }) => !occupied.has(name));
	const order = [...free.filter(({ id }) => id === undefined), ...free.filter(({ id }) => id !== undefined)];
	const names = new Set(known.map(({ name }) => name));
	let last = numberOf(known.at(-1)?.name ?? "s0");
	const newName = () => {
		const name = `s${++last}`;
		names.add(name);
		return name;
	};
	for (const backend of homeless) occupied.set(order.shift()?.name ?? newName(), backend);

	const size = slotCount(names.size, occupied.size, { min, growth, dynamic });
	while (names.size < size) newName();
	const sorted = [...names].sort((a, b) => numberOf(a) - numberOf(b));
	if (dynamic) {
		for (const name of sorted.toReversed()) {
			if (names.size <= size) break;
			if (!occupied.has(name)) names.delete(name);
		}
	}
	return sorted.filter((name) => names.has(name)).map((name) => ({ name, backend: occupied.get(name) }));
}

/** How many slots there are to be. */
function slotCount(found: number, occupied: number, { min, growth, dynamic }: SlotPolicy): number {
	if (dynamic) return Math.max(min, occupied, Math.min(found, Math.ceil(occupied * growth)));
	let size = Math.max(min, found);
	while (size - occupied < Math.max(2, Math.floor(size * SPARE))) size = Math.ceil(size * growth);
	return size;
}

/** The number in a slot's name. */
export function numberOf(name: string): number {
	return Number(name.slice(1));
}
