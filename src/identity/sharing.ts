/**
 * Which addresses two network namespaces have, among those that matter to somebody: nobody knows which of the two answers there. Pure bookkeeping: where the
 * addresses come from, and what follows, is decided elsewhere.
 */

import type { NetnsKey } from "../listeners/ids.js";

export interface Sharing {
	/** What a namespace has now, in place of what it had; none when it is gone. */
	set(netns: NetnsKey, addresses: readonly string[]): void;
	/** Those that another one has, too; undefined when there are none. The same value again as long as it holds. */
	sharedOf(netns: NetnsKey): readonly string[] | undefined;
	/** The namespaces of which something changed since they were asked for last, by themselves or by others. */
	disturbed(): NetnsKey[];
}

export function createSharing(): Sharing {
	const had = new Map<NetnsKey, readonly string[]>();
	const holders = new Map<string, Set<NetnsKey>>();
	/** Only of those that have some. */
	const shared = new Map<NetnsKey, readonly string[]>();
	const disturbed = new Set<NetnsKey>();

	const review = (netns: NetnsKey) => {
		const now = had.get(netns)?.filter((address) => (holders.get(address)?.size ?? 0) > 1) ?? [];
		if (now.length > 0) shared.set(netns, now);
		else shared.delete(netns);
	};

	/** The others that have the address, where one more or one less makes a difference to them. */
	const concerned = (address: string): readonly NetnsKey[] => {
		const there = holders.get(address);
		return there?.size === 1 ? [...there] : [];
	};

	const add = (netns: NetnsKey, address: string): readonly NetnsKey[] => {
		const others = concerned(address);
		holders.set(address, (holders.get(address) ?? new Set()).add(netns));
		return others;
	};

	const remove = (netns: NetnsKey, address: string): readonly NetnsKey[] => {
		const there = holders.get(address);
		there?.delete(netns);
		if (there?.size === 0) holders.delete(address);
		return concerned(address);
	};

	return {
		set(netns, addresses) {
			const before = had.get(netns);
			if (before === addresses || (before === undefined && addresses.length === 0)) return;
			if (addresses.length > 0) had.set(netns, addresses);
			else had.delete(netns);
			const gone = before?.filter((address) => !addresses.includes(address)) ?? [];
			const come = addresses.filter((address) => before?.includes(address) !== true);
			const others = [
				...gone.flatMap((address) => remove(netns, address)),
				...come.flatMap((address) => add(netns, address)),
			];
			review(netns);
			// at first nobody has looked at it who would have to look again, unless somebody has them already
			if (addresses.length > 0 && (before !== undefined || shared.has(netns))) disturbed.add(netns);
			else disturbed.delete(netns);
			for (const other of others) {
				review(other);
				disturbed.add(other);
			}
		},
		sharedOf: (netns) => shared.get(netns),
		disturbed() {
			const found = [...disturbed];
			disturbed.clear();
			return found;
		},
	};
}
