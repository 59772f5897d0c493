/**
 * How an address is reached from a network namespace, as its routing tables say: the kernel's texts, and look-ups in
 * them. Pure: who reads the texts is not known here.
 */

import { type Ip, isLinkLocal, isMulticastOrReserved, parseIp } from "../ip.js";
import { hostOrderBytes } from "./host-order.js";

/**
 * - `routed`: by a route that is meant for it.
 * - `default`: by the default route alone, so by a router that may never have heard of it.
 * - `none`: not at all.
 * - `unknown`: the table can't be read whole.
 */
export type Reach = "routed" | "default" | "none" | "unknown";

/** The routes of a namespace. */
export interface Routes {
	/** How an address of another namespace is reached; costs the same however many routes there are. */
	reach(address: string): Reach;
}

/** The texts of a namespace's tables; undefined where one can't be read, or not to its end. */
export interface RouteTexts {
	/** `/proc/PID/net/route`: the main table. */
	readonly ipv4: string | undefined;
	/** `/proc/PID/net/ipv6_route`: all tables. */
	readonly ipv6: string | undefined;
}

export interface ParsedRoutes extends Routes {
	/**
	 * The same text for tables that tell the same: those of the kernel differ with every connection, which it counts, and
	 * with every interface that comes up.
	 */
	readonly essence: string;
}

export const UNKNOWN_ROUTES: ParsedRoutes = { reach: () => "unknown", essence: "" };

/** Flags of a route (linux/route.h, linux/ipv6_route.h). */
const RTF_UP = 0x1;
const RTF_REJECT = 0x200;
const RTF_ANYCAST = 0x00100000;
const RTF_LOCAL = 0x80000000;

/** The shortest prefix that says something of where its addresses are: VPNs lay two halves (`0.0.0.0/1`) over the default route. */
const MIN_BITS = 2;

interface Route {
	readonly network: Ip;
	readonly bits: number;
	/** The lowest one counts. */
	readonly metric: number;
	/** Whether packets go anywhere by it. */
	readonly leads: boolean;
}

/** A table by prefix length, the longest first, then by the bits of the prefix. */
type Table = readonly (readonly [bits: number, routes: ReadonlyMap<string, Route>])[];

/** What the texts say. A line that is not understood counts for nothing. */
export function parseRoutes({ ipv4, ipv6 }: RouteTexts): ParsedRoutes {
	const tables = {
		4: ipv4 === undefined ? undefined : tableOf(ipv4.split("\n").flatMap(ipv4Route)),
		16: ipv6 === undefined ? undefined : tableOf(ipv6.split("\n").flatMap(ipv6Route)),
	};
	return {
		reach(address) {
			const ip = parseIp(address);
			const table = ip?.length === 4 ? tables[4] : tables[16];
			return ip === undefined || table === undefined ? "unknown" : reachIn(table, ip);
		},
		essence: `${essenceOf(tables[4])}\n${essenceOf(tables[16])}`,
	};
}

function reachIn(table: Table, ip: Ip): Reach {
	for (const [bits, routes] of table) {
		const route = routes.get(prefixOf(ip, bits));
		if (route === undefined) continue;
		if (!route.leads) return "none";
		return bits < MIN_BITS ? "default" : "routed";
	}
	return "none";
}

function tableOf(routes: readonly Route[]): Table {
	const byBits = new Map<number, Map<string, Route>>();
	for (const route of routes) {
		const prefix = prefixOf(route.network, route.bits);
		const there = byBits.get(route.bits) ?? new Map<string, Route>();
		byBits.set(route.bits, there);
		const other = there.get(prefix);
		if (other === undefined || route.metric < other.metric) there.set(prefix, route);
	}
	return [...byBits].sort(([a], [b]) => b - a);
}

function essenceOf(table: Table | undefined): string {
	if (table === undefined) return "unknown";
	const lines = table.flatMap(([bits, routes]) =>
		[...routes].map(([prefix, { leads }]) => `${prefix}/${bits} ${leads}`),
	);
	return lines.sort().join(" ");
}

/** The same text for all addresses of a prefix. */
function prefixOf(ip: Ip, bits: number): string {
	const whole = bits >> 3;
	const rest = bits & 7;
	const bytes = ip.slice(0, whole);
	return (rest === 0 ? bytes : [...bytes, (ip[whole] ?? 0) & (0xff00 >> rest)]).join(".");
}

/** `Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT`; a route that drops has the interface `*`. */
function ipv4Route(line: string): Route[] {
	const [device = "", network = "", , flags = "", , , metric = "", mask = ""] = line.trim().split(/\s+/);
	if (![network, mask].every((word) => /^[0-9A-F]{8}$/.test(word))) return [];
	const bits = hostOrderBytes(mask).reduce((sum, byte) => sum + (byte.toString(2).match(/1/g)?.length ?? 0), 0);
	const leads = device !== "*" && isUsable(Number.parseInt(flags, 16));
	return [{ network: hostOrderBytes(network), bits, metric: Number(metric), leads }];
}

/** Destination, its length, source, its length, next hop, metric, references, uses, flags, interface; all hexadecimal. */
function ipv6Route(line: string): Route[] {
	const [digits = "", length = "", , , , metric = "", , , flagDigits = ""] = line.trim().split(/\s+/);
	if (!/^[0-9a-f]{32}$/.test(digits)) return [];
	const network = (digits.match(/../g) ?? []).map((byte) => Number.parseInt(byte, 16));
	const flags = Number.parseInt(flagDigits, 16);
	// nobody is looked for at those, and there are some for each interface
	if (has(flags, RTF_LOCAL | RTF_ANYCAST) || isLinkLocal(network) || isMulticastOrReserved(network)) return [];
	const [bits, lowest] = [Number.parseInt(length, 16), Number.parseInt(metric, 16)];
	return [{ network, bits, metric: lowest, leads: isUsable(flags) }];
}

function isUsable(flags: number): boolean {
	return has(flags, RTF_UP) && !has(flags, RTF_REJECT);
}

function has(flags: number, wanted: number): boolean {
	return (flags & wanted) !== 0;
}
