/**
 * Where other hosts reach a listener: at an address of its namespace that they reach, else at a port of this host that
 * leads there. Pure; that this host's own proxies reach it, and where, says nothing of others.
 */

import type { PublishedPort } from "../identity/container.js";
import type { Addresses } from "../identity/identity.js";
import { formatIp, type Ip, isInCidr, isLinkLocal, isLoopback, isUnspecified, parseIp, unmapIp } from "../ip.js";
import type { Preferred } from "./address.js";
import type { Families, HostPlace } from "./published.js";

export interface AdvertiseQuestion {
	/** The bound address; `0.0.0.0` or `::` when bound to all. */
	readonly bound: string;
	readonly port: number;
	/** An IPv6 socket that does not serve IPv4. */
	readonly ipv6Only: boolean;
	/** Whether the socket is in this host's own network namespace. */
	readonly isHost: boolean;
	/** Those of the socket's namespace. */
	readonly addresses: Addresses;
	/** Those of them that another namespace has, too. */
	readonly shared: readonly string[];
	/** Ports of the host that are passed on to the listener's container. */
	readonly published: readonly PublishedPort[];
	/** `fleet.advertise`, the most wanted first. */
	readonly advertise: Preferred;
	/** The addresses by which others reach this host, as {@link hostAddresses} has them. */
	readonly own: HostAddresses;
}

/** The most wanted first; none: `why` says why, as a clause with its mend. */
export interface HostAddresses {
	readonly all: readonly string[];
	readonly why: string;
}

/** `why` is a clause with its mend. */
export type Advertised = ({ readonly ok: true } & HostPlace) | { readonly ok: false; readonly why: string };

const NOT_ROUTABLE = "not routable from other hosts: ";

/**
 * The addresses by which others reach this host: those in `fleet.advertise`, or where that is empty, the one by which this
 * host reaches Redis.
 *
 * @param addresses those of this host's own namespace
 * @param toRegistry the address of this host on its connection to Redis; undefined while there is none that has one
 */
export function hostAddresses(
	advertise: Preferred,
	addresses: Addresses,
	toRegistry: string | undefined,
): HostAddresses {
	if (advertise.length > 0) {
		if (addresses.state === "unknown") return { all: [], why: addresses.why };
		const why = `this host has no address in fleet.advertise (${namesOf(advertise)})`;
		return { all: inOrder([...addresses.ipv4, ...addresses.ipv6], advertise), why };
	}
	const mend = "name this host's network in fleet.advertise";
	if (toRegistry === undefined)
		return { all: [], why: `by which address this host reaches Redis is not known (${mend})` };
	const parsed = parseIp(toRegistry);
	const ip = parsed && unmapIp(parsed);
	if (ip !== undefined && isOfOthers(ip)) return { all: [formatIp(ip)], why: "" };
	return { all: [], why: `this host reaches Redis by ${toRegistry}, which others do not reach (${mend})` };
}

/** Where others reach it, in canonical text, or that they do not, and why. */
export function advertised(question: AdvertiseQuestion): Advertised {
	const { bound, port, ipv6Only, isHost, own } = question;
	const parsed = parseIp(bound);
	if (parsed === undefined) return refuse(`it is bound to ${bound}, which is no address`);
	const ip = unmapIp(parsed);
	const isWildcard = isUnspecified(ip);
	if (!isWildcard && !isOfOthers(ip)) return refuse(`it is bound to ${formatIp(ip)}, which only its own host reaches`);
	const families: Families = isWildcard
		? { ipv4: ip.length === 4 || !ipv6Only, ipv6: ip.length === 16 }
		: { ipv4: ip.length === 4, ipv6: ip.length === 16 };
	const serves = (address: string) =>
		isWildcard ? families[address.includes(":") ? "ipv6" : "ipv4"] : address === formatIp(ip);
	if (isHost) {
		const address = own.all.find(serves);
		if (address !== undefined) return { ok: true, address, port };
		if (own.all.length === 0) return refuse(own.why);
		return refuse(`it is bound to ${bound}, and others reach this host by ${own.all.join(", ")} (listen there, too)`);
	}
	const address = inNamespace(question, serves);
	if (address.ok) return { ok: true, address: address.address, port };
	const place = publishedFor(question, families);
	return place ?? refuse(`${address.why}; ${whyNotPublished(question)}`);
}

/** An address of its own namespace that others reach, and that nobody else has. */
function inNamespace(
	{ advertise, addresses, shared }: AdvertiseQuestion,
	serves: (address: string) => boolean,
): { readonly ok: true; readonly address: string } | { readonly ok: false; readonly why: string } {
	if (addresses.state === "unknown") return { ok: false, why: `its addresses are not known: ${addresses.why}` };
	const all = [...addresses.ipv4, ...addresses.ipv6].filter(serves);
	const reached = inOrder(all, advertise);
	const address = reached.find((one) => !shared.includes(one));
	if (address !== undefined) return { ok: true, address };
	const [other] = reached;
	if (other !== undefined) return { ok: false, why: `${other} belongs to another network namespace, too` };
	const has = all.length === 0 ? "it has no address of its own" : `none of its addresses (${all.join(", ")})`;
	return { ok: false, why: all.length === 0 ? has : `${has} is in fleet.advertise (${namesOf(advertise)})` };
}

/** A port of this host that leads to it, at an address by which others reach the host. */
function publishedFor({ published, port, own }: AdvertiseQuestion, serves: Families): Advertised | undefined {
	const places = published.flatMap(({ port: inside, hostAddress, hostPort }): HostPlace[] => {
		const parsed = inside === port ? parseIp(hostAddress) : undefined;
		const ip = parsed && unmapIp(parsed);
		// engines pass on within a family
		if (ip === undefined || !serves[ip.length === 4 ? "ipv4" : "ipv6"]) return [];
		const isAt = (address: string) =>
			isUnspecified(ip) ? address.includes(":") === (ip.length === 16) : address === formatIp(ip);
		const address = own.all.find(isAt);
		return address === undefined ? [] : [{ address, port: hostPort }];
	});
	const [place] = places.sort((a, b) => own.all.indexOf(a.address) - own.all.indexOf(b.address) || a.port - b.port);
	return place && { ok: true, ...place };
}

function whyNotPublished({ published, port, own }: AdvertiseQuestion): string {
	const ports = published.filter((one) => one.port === port);
	if (ports.length === 0) return `no port of this host leads to it (publish port ${port} of the container)`;
	if (own.all.length === 0) return own.why;
	const at = ports.map(({ hostAddress, hostPort }) => `${hostAddress}:${hostPort}`).join(", ");
	return `its port is published at ${at}, and others reach this host by ${own.all.join(", ")} (publish it there)`;
}

/** Those in one of the prefixes, in the order of the prefixes; within one in the order in which they are given. */
function inOrder(addresses: readonly string[], prefixes: Preferred): readonly string[] {
	const ranked = addresses.map((address) => {
		const ip = parseIp(address);
		return { address, rank: ip === undefined ? -1 : prefixes.findIndex(({ cidr }) => isInCidr(ip, cidr)) };
	});
	return ranked
		.filter(({ rank }) => rank !== -1)
		.sort((a, b) => a.rank - b.rank)
		.map(({ address }) => address);
}

const isOfOthers = (ip: Ip): boolean => !isLoopback(ip) && !isLinkLocal(ip) && !isUnspecified(ip);

const namesOf = (prefixes: Preferred): string =>
	prefixes.length === 0 ? "which is empty" : prefixes.map(({ text }) => text).join(", ");

const refuse = (why: string): Advertised => ({ ok: false, why: `${NOT_ROUTABLE}${why}` });
