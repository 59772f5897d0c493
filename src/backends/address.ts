/**
 * Which address a proxy connects to for a listener: one that the proxy's network namespace reaches and that nobody else
 * has, else a port of the host that leads there. Pure.
 */

import type { PublishedPort } from "../identity/container.js";
import type { Addresses } from "../identity/identity.js";
import type { Routes } from "../identity/routes.js";
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
import { type Families, type HostPlace, publishedPlace } from "./published.js";

export interface AddressQuestion {
	/** The bound address; `0.0.0.0` or `::` when bound to all. */
	readonly bound: string;
	readonly port: number;
	/** An IPv6 socket that does not serve IPv4. */
	readonly ipv6Only: boolean;
	/** Whether the socket is in the network namespace where the proxy runs. */
	readonly isLocal: boolean;
	/** Those of the socket's namespace. */
	readonly addresses: Addresses;
	/** Those of them that another namespace has, too. */
	readonly shared: readonly string[];
	/** The most wanted first; none: IPv4 before IPv6. */
	readonly preferred: Preferred;
	/** Those of the proxy's namespace; what is in `preferred` needs none. */
	readonly routes: Routes;
	/**
	 * Ports of the host that are passed on to the listener's container; undefined where the proxy can't reach the host's, or
	 * no engine tells of them.
	 */
	readonly published: readonly PublishedPort[] | undefined;
}

/** `addresses` of the configuration, read once for all questions. */
export type Preferred = readonly { readonly text: string; readonly cidr: Cidr }[];

/** What is no prefix is left out. */
export function readPreferred(prefixes: readonly string[]): Preferred {
	return prefixes.flatMap((text) => {
		const cidr = parseCidr(text);
		return cidr === undefined ? [] : [{ text, cidr }];
	});
}

/** `pending`: not now, but it may change without anything else changing; look again. `why` is a clause for people. */
export type AddressChoice =
	| ({ readonly ok: true } & HostPlace)
	| { readonly ok: false; readonly pending: boolean; readonly why: string };

type Refusal = Extract<AddressChoice, { ok: false }>;

/** The address for the proxy, in canonical text. */
export function chooseAddress(question: AddressQuestion): AddressChoice {
	const { bound, port, isLocal } = question;
	const parsed = parseIp(bound);
	if (parsed === undefined) return refuse(`it is bound to ${bound}, which is no address`);
	const ip = unmapIp(parsed);
	if (isUnspecified(ip)) return chooseForWildcard(question, ip.length === 4);
	const address = formatIp(ip);
	const refuseBound = (who: string) => refuse(`it is bound to ${address}, which only ${who} reaches`);
	if (isLoopback(ip) && !isLocal) return refuseBound("its own network namespace");
	if (isLinkLocal(ip) && ip.length === 16) return refuseBound("its own link");
	if (isLocal) return { ok: true, address, port };
	return firstReached([rankedIn(question.preferred, address)], question, {
		ipv4: ip.length === 4,
		ipv6: ip.length === 16,
	});
}

/** A wildcard bind serves all addresses of the namespace; `isIpv4` also for one that is IPv4-mapped. */
function chooseForWildcard(question: AddressQuestion, isIpv4: boolean): AddressChoice {
	const { bound, port, ipv6Only, isLocal, addresses, preferred } = question;
	const serves = { ipv4: isIpv4 || !ipv6Only, ipv6: !isIpv4 };
	if (isLocal) return { ok: true, address: serves.ipv4 ? "127.0.0.1" : "::1", port };
	if (addresses.state === "unknown") return wait(`its addresses are not known: ${addresses.why}`);
	const offered = [...(serves.ipv4 ? addresses.ipv4 : []), ...(serves.ipv6 ? addresses.ipv6 : [])];
	if (offered.length === 0) {
		const kind = isIpv4 ? "IPv4 " : serves.ipv4 ? "" : "IPv6 ";
		const why = `its network namespace has no global ${kind}address yet (it is bound to ${bound})`;
		return throughHost(question, serves, wait(why));
	}
	const ranked = offered.map((address) => rankedIn(preferred, address));
	const wanted = preferred.length === 0 ? ranked : inOrder(ranked);
	if (wanted.length > 0) return firstReached(wanted, question, serves);
	return refuse(
		`none of its addresses (${offered.join(", ")}) is in addresses: ${preferred.map(({ text }) => text).join(", ")}`,
	);
}

/** The first address that nothing speaks against. */
function firstReached(ranked: readonly Ranked[], question: AddressQuestion, serves: Families): AddressChoice {
	const refused: Refusal[] = [];
	for (const one of ranked) {
		const refusal = refusalOf(one, question);
		if (refusal === undefined) return { ok: true, address: one.address, port: question.port };
		refused.push(refusal);
	}
	const why = refused.map((refusal) => refusal.why).join("; ");
	return throughHost(question, serves, { ok: false, pending: refused.some(({ pending }) => pending), why });
}

/** What speaks against an address of another namespace. Routes may come at any time; who shares it is told of. */
function refusalOf({ address, rank }: Ranked, { shared, routes }: AddressQuestion): Refusal | undefined {
	if (shared.includes(address)) return refuse(`${address} belongs to another network namespace, too`);
	if (rank !== -1) return undefined;
	const reach = routes.reach(address);
	switch (reach) {
		case "routed":
		case "unknown":
			return undefined;
		case "default": {
			const mend = "if that is right, name its network in addresses";
			return wait(`${address} is reached only by the default route of the proxy's network namespace (${mend})`);
		}
		case "none":
			return wait(`no route of the proxy's network namespace leads to ${address}`);
		default:
			return reach satisfies never;
	}
}

/** Where the host passes its connections on, else what speaks against its own addresses. */
function throughHost({ published, port }: AddressQuestion, serves: Families, refusal: Refusal): AddressChoice {
	if (published === undefined) return refusal;
	const place = publishedPlace(published, port, serves);
	if (place !== undefined) return { ok: true, ...place };
	const mend = `publish port ${port} of the container${serves.ipv4 ? "" : " for IPv6"}`;
	return { ...refusal, why: `${refusal.why}; no port of the host leads to it either (${mend})` };
}

/** An address, and which of the prefixes it is in: the first one's number, -1 where it is in none. */
interface Ranked {
	readonly address: string;
	readonly rank: number;
}

function rankedIn(preferred: Preferred, address: string): Ranked {
	const ip = preferred.length === 0 ? undefined : parseIp(address);
	return { address, rank: ip === undefined ? -1 : preferred.findIndex(({ cidr }) => isInCidr(ip, cidr)) };
}

/** Those in one of the prefixes, in the order of the prefixes; within one in the order of the addresses. */
function inOrder(ranked: readonly Ranked[]): readonly Ranked[] {
	return ranked.filter(({ rank }) => rank !== -1).sort((a, b) => a.rank - b.rank);
}

function wait(why: string): Refusal {
	return { ok: false, pending: true, why };
}

function refuse(why: string): Refusal {
	return { ok: false, pending: false, why };
}
