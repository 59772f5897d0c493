/** IP addresses as text and as bytes: parsing, canonical text, order, prefixes. Pure; knows nothing of sockets. */

/** An address in network order: 4 bytes for IPv4, 16 for IPv6. */
export type Ip = readonly number[];

/** A prefix such as `10.0.0.0/8`. */
export interface Cidr {
	readonly network: Ip;
	readonly bits: number;
}

/** The bytes of an address as people and the kernel write it; undefined when it is none. Takes no zone (`%eth0`). */
export function parseIp(text: string): Ip | undefined {
	return text.includes(":") ? parseIpv6(text) : parseIpv4(text);
}

const IPV4 = /^(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})$/;

function parseIpv4(text: string): Ip | undefined {
	const bytes = IPV4.exec(text)?.slice(1).map(Number);
	return bytes?.every((byte) => byte <= 255) ? bytes : undefined;
}

function parseIpv6(text: string): Ip | undefined {
	const [head = "", tail, ...rest] = text.split("::");
	if (rest.length > 0) return undefined;
	if (tail === undefined) {
		const whole = parseGroups(head, true);
		return whole?.length === 16 ? whole : undefined;
	}
	const left = head === "" ? [] : parseGroups(head, false);
	const right = tail === "" ? [] : parseGroups(tail, true);
	if (left === undefined || right === undefined || left.length + right.length > 14) return undefined;
	return [...left, ...new Array<number>(16 - left.length - right.length).fill(0), ...right];
}

/** The bytes of groups between colons; the last may be an IPv4 address where the text ends there. */
function parseGroups(text: string, atEnd: boolean): number[] | undefined {
	const bytes: number[] = [];
	const groups = text.split(":");
	for (const [index, group] of groups.entries()) {
		if (atEnd && index === groups.length - 1 && group.includes(".")) {
			const ipv4 = parseIpv4(group);
			if (ipv4 === undefined) return undefined;
			bytes.push(...ipv4);
		} else {
			if (!/^[0-9a-f]{1,4}$/i.test(group)) return undefined;
			const value = Number.parseInt(group, 16);
			bytes.push(value >> 8, value & 0xff);
		}
	}
	return bytes;
}

/** The canonical text: dotted quad, or RFC 5952 (lower case, no leading zeros, the first longest run of zeros as `::`). */
export function formatIp(ip: Ip): string {
	if (ip.length === 4) return ip.join(".");
	const groups: number[] = [];
	for (let index = 0; index < 16; index += 2) groups.push(((ip[index] ?? 0) << 8) | (ip[index + 1] ?? 0));
	const run = longestZeroRun(groups);
	const hex = (part: number[]) => part.map((group) => group.toString(16)).join(":");
	if (run.length < 2) return hex(groups);
	return `${hex(groups.slice(0, run.start))}::${hex(groups.slice(run.start + run.length))}`;
}

function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
	let best = { start: 0, length: 0 };
	let start = 0;
	for (const [index, group] of groups.entries()) {
		if (group !== 0) start = index + 1;
		else if (index + 1 - start > best.length) best = { start, length: index + 1 - start };
	}
	return best;
}

/** An address with a port as programs take it: `10.0.0.1:80`, `[fd00::1]:80`; also of a name. */
export function hostPort(address: string, port: number): string {
	return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

/** The IPv4 address inside an IPv4-mapped one (`::ffff:192.0.2.1`, RFC 4291); any other address as it is. */
export function unmapIp(ip: Ip): Ip {
	const mapped = ip.length === 16 && ip.slice(0, 10).every((byte) => byte === 0) && ip[10] === 0xff && ip[11] === 0xff;
	return mapped ? ip.slice(12) : ip;
}

/** Numeric order, for sorting. */
export function compareIp(a: Ip, b: Ip): number {
	if (a.length !== b.length) return a.length - b.length;
	const differing = a.findIndex((byte, index) => byte !== b[index]);
	return differing === -1 ? 0 : (a[differing] ?? 0) - (b[differing] ?? 0);
}

/** A prefix written as `address/bits`; undefined when it is none. Bits behind the prefix are allowed and ignored. */
export function parseCidr(text: string): Cidr | undefined {
	const [address = "", length = "", ...rest] = text.split("/");
	const network = parseIp(address);
	if (network === undefined || rest.length > 0 || !/^\d{1,3}$/.test(length)) return undefined;
	const bits = Number(length);
	return bits <= network.length * 8 ? { network, bits } : undefined;
}

/** Whether an address lies in a prefix of its own family. */
export function isInCidr(ip: Ip, { network, bits }: Cidr): boolean {
	if (ip.length !== network.length) return false;
	const whole = bits >> 3;
	for (let index = 0; index < whole; index++) if (ip[index] !== network[index]) return false;
	return (((ip[whole] ?? 0) ^ (network[whole] ?? 0)) & (0xff00 >> (bits & 7)) & 0xff) === 0;
}

/** `0.0.0.0` or `::`. */
export function isUnspecified(ip: Ip): boolean {
	return ip.every((byte) => byte === 0);
}

/** 127.0.0.0/8 or `::1`. */
export function isLoopback(ip: Ip): boolean {
	if (ip.length === 4) return ip[0] === 127;
	return ip[15] === 1 && ip.slice(0, 15).every((byte) => byte === 0);
}

/** 169.254.0.0/16 or fe80::/10: means nothing beyond its own link. */
export function isLinkLocal(ip: Ip): boolean {
	return ip.length === 4 ? ip[0] === 169 && ip[1] === 254 : ip[0] === 0xfe && ((ip[1] ?? 0) & 0xc0) === 0x80;
}

/** 224.0.0.0/4 with the reserved and broadcast range above it, or ff00::/8. */
export function isMulticastOrReserved(ip: Ip): boolean {
	return ip.length === 4 ? (ip[0] ?? 0) >= 224 : ip[0] === 0xff;
}
