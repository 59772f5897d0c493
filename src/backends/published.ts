/** Where a container's port is reached through the host that its engine runs on. Pure. */

import type { PublishedPort } from "../identity/container.js";
import { compareIp, formatIp, type Ip, isUnspecified, parseIp, unmapIp } from "../ip.js";

/** A place on the host, in canonical text. */
export interface HostPlace {
	readonly address: string;
	readonly port: number;
}

/** Which families a listener serves. */
export interface Families {
	readonly ipv4: boolean;
	readonly ipv6: boolean;
}

/**
 * The first of the places at which the host passes connections on to a port, IPv4 before IPv6; all of the host's
 * addresses are its loopback.
 *
 * @param serves what the listener serves: engines pass on within a family
 */
export function publishedPlace(
	published: readonly PublishedPort[],
	port: number,
	serves: Families,
): HostPlace | undefined {
	const [first] = published
		.flatMap(({ port: inside, hostAddress, hostPort }) => {
			const parsed = parseIp(hostAddress);
			const ip = parsed && unmapIp(parsed);
			if (inside !== port || ip === undefined || !(ip.length === 4 ? serves.ipv4 : serves.ipv6)) return [];
			return [{ ip, port: hostPort }];
		})
		.sort((a, b) => compareIp(a.ip, b.ip) || a.port - b.port);
	return first && { address: formatIp(reached(first.ip)), port: first.port };
}

function reached(ip: Ip): Ip {
	if (!isUnspecified(ip)) return ip;
	return ip.length === 4 ? [127, 0, 0, 1] : [...new Array<number>(15).fill(0), 1];
}
