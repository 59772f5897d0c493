/**
 * The addresses of a network namespace, from the texts that the kernel shows of it. Pure: who reads the texts, and of
 * which process, is not known here.
 */

import {
	compareIp,
	formatIp,
	type Ip,
	isLinkLocal,
	isLoopback,
	isMulticastOrReserved,
	isUnspecified,
	parseIp,
} from "../ip.js";
import type { Addresses } from "./identity.js";

/** Marks an address that the namespace owns; `fib_trie` shows the addresses of its routes as well. */
const OWN_ADDRESS = "/32 host LOCAL";
const LEAF = "|-- ";

/** Flags of an IPv6 address (linux/if_addr.h). */
const IFA_F_TEMPORARY = 0x01;
const IFA_F_OPTIMISTIC = 0x04;
const IFA_F_DADFAILED = 0x08;
const IFA_F_TENTATIVE = 0x40;

type Known = Extract<Addresses, { state: "known" }>;

/**
 * The global addresses of a namespace.
 * @param fibTrie text of `/proc/PID/net/fib_trie`; may be cut off anywhere
 * @param ifInet6 text of `/proc/PID/net/if_inet6`; empty where the namespace has no IPv6
 */
export function namespaceAddresses(fibTrie: string, ifInet6: string): Known {
	return globalAddresses([...ipv4Texts(fibTrie), ...ipv6Texts(ifInet6)]);
}

/**
 * The addresses among `texts` that others can connect to, each once and in numeric order: no loopback, link-local,
 * multicast, reserved or unspecified one. What is no address is left out.
 */
export function globalAddresses(texts: readonly string[]): Known {
	const ips = texts.map(parseIp).filter((ip): ip is Ip => ip !== undefined && isGlobal(ip));
	const ofLength = (bytes: number) => [
		...new Set(
			ips
				.filter((ip) => ip.length === bytes)
				.sort(compareIp)
				.map(formatIp),
		),
	];
	return { state: "known", ipv4: ofLength(4), ipv6: ofLength(16) };
}

function isGlobal(ip: Ip): boolean {
	const thisNetwork = ip.length === 4 && ip[0] === 0;
	return !thisNetwork && !isUnspecified(ip) && !isLoopback(ip) && !isLinkLocal(ip) && !isMulticastOrReserved(ip);
}

/**
 * A leaf (`|-- 198.18.0.1`) is followed by a line for each route to it; the namespace owns the address when one of
 * them is a local route of all 32 bits. A table may be there twice (`Main` and `Local` are one until a rule is added).
 */
function ipv4Texts(fibTrie: string): string[] {
	const found: string[] = [];
	for (let at = fibTrie.indexOf(OWN_ADDRESS); at !== -1; at = fibTrie.indexOf(OWN_ADDRESS, at + OWN_ADDRESS.length)) {
		const leaf = fibTrie.lastIndexOf(LEAF, at);
		if (leaf !== -1) found.push(fibTrie.slice(leaf + LEAF.length, fibTrie.indexOf("\n", leaf)));
	}
	return found;
}

/** One line an address: 32 hexadecimal digits, interface index, prefix length, scope, flags, interface name. */
function ipv6Texts(ifInet6: string): string[] {
	const found: string[] = [];
	for (const [, digits = "", flags = ""] of ifInet6.matchAll(
		/^([0-9a-f]{32}) +[0-9a-f]+ +[0-9a-f]+ +[0-9a-f]+ +([0-9a-f]+) +\S/gim,
	)) {
		if (isUsable(Number.parseInt(flags, 16))) found.push(digits.replace(/.{4}(?=.)/g, "$&:"));
	}
	return found;
}

/**
 * A tentative address does not answer until the kernel has looked for duplicates (1 s), one that failed that test
 * never does, and a temporary one (RFC 8981) changes while its stable sibling stays.
 */
function isUsable(flags: number): boolean {
	if ((flags & (IFA_F_TEMPORARY | IFA_F_DADFAILED)) !== 0) return false;
	return (flags & IFA_F_TENTATIVE) === 0 || (flags & IFA_F_OPTIMISTIC) !== 0;
}
