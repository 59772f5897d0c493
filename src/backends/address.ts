/**
 * Which address a proxy connects to for a listener. Pure. What an address needs to be routable from the proxy's own
 * network namespace is not judged here.
 */

import type { Addresses } from "../identity/identity.js";
import {
	type Cidr,
	formatIp,
	isInCidr,
	isLinkLocal,
	isLoopback,
	isUnspecified,
	parseCidr,
	parseIp,
	unmapIp,
} from "../ip.js";

export interface AddressQuestion {
	/** The bound address; `0.0.0.0` or `::` when bound to all. */
	readonly bound: string;
	/** An IPv6 socket that does not serve IPv4. */
	readonly ipv6Only: boolean;
	/** Whether the socket is in the network namespace where the proxy runs. */
	readonly isLocal: boolean;
	/** Those of the socket's namespace. */
	readonly addresses: Addresses;
	/** `addresses` of the configuration: prefixes, the most wanted first; none: IPv4 before IPv6. */
	readonly preferred: readonly string[];
}

/** `pending`: not now, but it may change without anything else changing; look again. `why` is a clause for people. */
export type AddressChoice =
	| { readonly ok: true; readonly address: string }
	| { readonly ok: false; readonly pending: boolean; readonly why: string };

/** The address for the proxy, in canonical text. */
export function chooseAddress(question: AddressQuestion): AddressChoice {
	const { bound, isLocal } = question;
	const parsed = parseIp(bound);
	if (parsed === undefined) return refuse(`it is bound to ${bound}, which is no address`);
	const ip = unmapIp(parsed);
	if (isUnspecified(ip)) return chooseForWildcard(question, ip.length === 4);
	const address = formatIp(ip);
	const refuseBound = (who: string) => refuse(`it is bound to ${address}, which only ${who} reaches`);
	if (isLoopback(ip) && !isLocal) return refuseBound("its own network namespace");
	if (isLinkLocal(ip) && ip.length === 16) return refuseBound("its own link");
	return { ok: true, address };
}

/** A wildcard bind serves all addresses of the namespace; `isIpv4` also for one that is IPv4-mapped. */
function chooseForWildcard(
	{ bound, ipv6Only, isLocal, addresses, preferred }: AddressQuestion,
	isIpv4: boolean,
): AddressChoice {
	const servesIpv4 = isIpv4 || !ipv6Only;
	if (isLocal) return { ok: true, address: servesIpv4 ? "127.0.0.1" : "::1" };
	if (addresses.state === "unknown") return wait(`its addresses are not known: ${addresses.why}`);
	const offered = [...(servesIpv4 ? addresses.ipv4 : []), ...(isIpv4 ? [] : addresses.ipv6)];
	const [first] = offered;
	if (first === undefined) {
		const kind = isIpv4 ? "IPv4 " : servesIpv4 ? "" : "IPv6 ";
		return wait(`its network namespace has no global ${kind}address yet (it is bound to ${bound})`);
	}
	if (preferred.length === 0) return { ok: true, address: first };
	const address = firstWithin(offered, preferred);
	if (address !== undefined) return { ok: true, address };
	return refuse(`none of its addresses (${offered.join(", ")}) is in addresses: ${preferred.join(", ")}`);
}

/** In the order of the prefixes; within one in the order of the addresses. */
function firstWithin(offered: readonly string[], preferred: readonly string[]): string | undefined {
	const isWithin = (address: string, cidr: Cidr) => {
		const ip = parseIp(address);
		return ip !== undefined && isInCidr(ip, cidr);
	};
	for (const cidr of preferred.map(parseCidr)) {
		const found = cidr === undefined ? undefined : offered.find((address) => isWithin(address, cidr));
		if (found !== undefined) return found;
	}
	return undefined;
}

function wait(why: string): AddressChoice {
	return { ok: false, pending: true, why };
}

function refuse(why: string): AddressChoice {
	return { ok: false, pending: false, why };
}
