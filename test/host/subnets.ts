/** Which subnets the tests may use: those of 10.203.0.0/16 that no address or route of the host touches. */

import { ipJson } from "./ip.js";

/** 10.203.NUMBER.0/24. */
export interface Subnet {
	readonly number: number;
	readonly subnet: string;
	readonly gateway: string;
}

/** The free ones, in an order of this process's own, so that two that start together rarely want the same. */
export async function freeSubnets(): Promise<Subnet[]> {
	const [addresses, routes] = await Promise.all([
		ipJson(["-4", "addr"]),
		ipJson(["-4", "route", "show", "table", "all"]),
	]);
	const taken = takenNumbers([
		...addresses.flatMap(({ addr_info = [] }) => addr_info.map(({ local, prefixlen }) => `${local}/${prefixlen}`)),
		...routes.flatMap(({ dst }) => dst ?? []),
	]);
	const free: Subnet[] = [];
	for (let step = 0; step < 256; step += 1) {
		const number = (process.pid + step) % 256;
		if (taken.has(number)) continue;
		free.push({ number, subnet: `10.203.${number}.0/24`, gateway: `10.203.${number}.1` });
	}
	return free;
}

/** The third bytes of 10.203.0.0/16 that prefixes of it cover. Wider prefixes do not count: a /24 wins over them. */
function takenNumbers(prefixes: readonly string[]): Set<number> {
	const taken = new Set<number>();
	for (const prefix of prefixes) {
		const [, byte, length = "32"] = /^10\.203\.(\d+)\.\d+(?:\/(\d+))?$/.exec(prefix) ?? [];
		if (byte === undefined || Number(length) < 16) continue;
		const size = 2 ** Math.max(0, 24 - Number(length));
		const first = Number(byte) - (Number(byte) % size);
		for (let number = first; number < first + size; number += 1) taken.add(number);
	}
	return taken;
}
