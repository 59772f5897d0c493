/**
 * Bytes from the kernel → events. Mirrors `struct record` and `struct losses` of `bpf/record.h`; a test holds the
 * offsets against the compiled object's BTF. Pure.
 */

import { formatIp, unmapIp } from "../ip.js";
import type { KernelEvent, Listener, SocketEvent, StopEvent } from "../listeners/event.js";
import { netnsKey, socketId } from "../listeners/ids.js";

/** Offset and size in bytes of each field of `struct record` (little endian). */
export const RECORD_FIELDS = {
	version: [0, 1],
	kind: [1, 1],
	family: [2, 1],
	ipv6only: [3, 1],
	port: [4, 2],
	protocol: [6, 2],
	backlog: [8, 4],
	pid: [12, 4],
	netns: [16, 4],
	task_netns: [20, 4],
	cpu: [24, 4],
	pidns: [28, 4],
	at_ns: [32, 8],
	cookie: [40, 8],
	netns_cookie: [48, 8],
	cgroup: [56, 8],
	addr: [64, 16],
	comm: [80, 16],
	hostname: [96, 65],
	signal: [161, 1],
	is_init: [162, 1],
	pad0: [163, 5],
} as const satisfies Record<string, readonly [offset: number, size: number]>;

/** Size of `struct record`, in bytes. */
export const RECORD_SIZE = 168;

const RECORD_VERSION = 2;
const AF_INET = 2;
const AF_INET6 = 10;
const IPPROTO_MPTCP = 262;
const KINDS = new Map<number, (SocketEvent | StopEvent)["kind"]>([
	[1, "listen"],
	[2, "close"],
	[3, "stopping"],
]);

/** The event in `bytes`, or undefined when they are no record of this version. Copies all that it keeps. */
export function decodeRecord(bytes: Buffer): KernelEvent | undefined {
	if (bytes.length < RECORD_SIZE || bytes[RECORD_FIELDS.version[0]] !== RECORD_VERSION) return undefined;
	const kind = KINDS.get(bytes.readUInt8(RECORD_FIELDS.kind[0]));
	if (kind === undefined) return undefined;
	const pid = bytes.readUInt32LE(RECORD_FIELDS.pid[0]);
	const comm = text(bytes, RECORD_FIELDS.comm);
	const pidNamespace = bytes.readUInt32LE(RECORD_FIELDS.pidns[0]);
	const atNs = Number(bytes.readBigUInt64LE(RECORD_FIELDS.at_ns[0]));
	if (kind === "stopping") {
		const signal = bytes.readUInt8(RECORD_FIELDS.signal[0]);
		const isInit = bytes.readUInt8(RECORD_FIELDS.is_init[0]) !== 0;
		return { kind, signal, pid, pidNamespace, isInit, comm, atNs };
	}
	const family = bytes.readUInt8(RECORD_FIELDS.family[0]);
	if (family !== AF_INET && family !== AF_INET6) return undefined;
	const netnsInode = bytes.readUInt32LE(RECORD_FIELDS.netns[0]);
	const netnsCookie = bytes.readBigUInt64LE(RECORD_FIELDS.netns_cookie[0]);
	const listener: Listener = {
		socket: socketId(bytes.readBigUInt64LE(RECORD_FIELDS.cookie[0])),
		netns: netnsKey(netnsCookie),
		netnsInode,
		taskNetnsInode: bytes.readUInt32LE(RECORD_FIELDS.task_netns[0]),
		family: family === AF_INET ? "ipv4" : "ipv6",
		address: addressText(bytes, family === AF_INET ? 4 : 16),
		port: bytes.readUInt16LE(RECORD_FIELDS.port[0]),
		ipv6Only: bytes.readUInt8(RECORD_FIELDS.ipv6only[0]) !== 0,
		protocol: bytes.readUInt16LE(RECORD_FIELDS.protocol[0]) === IPPROTO_MPTCP ? "mptcp" : "tcp",
		backlog: bytes.readUInt32LE(RECORD_FIELDS.backlog[0]),
		pid,
		comm,
		hostname: text(bytes, RECORD_FIELDS.hostname),
		pidNamespace,
		cgroupId: bytes.readBigUInt64LE(RECORD_FIELDS.cgroup[0]).toString(),
		atNs,
	};
	return { kind, listener };
}

/** What the kernel side lost since it was loaded, by reason. */
export interface KernelLosses {
	/** Events dropped: the ring buffer was full. */
	readonly ringFull: number;
	/** Rows missing in `listeners`: the map was full. */
	readonly tableFull: number;
}

/** Size of `struct losses`, in bytes. */
export const LOSSES_SIZE = 16;

export function decodeLosses(bytes: Buffer): KernelLosses {
	return { ringFull: Number(bytes.readBigUInt64LE(0)), tableFull: Number(bytes.readBigUInt64LE(8)) };
}

/** A NUL-terminated string in a fixed field. */
function text(bytes: Buffer, [offset, size]: readonly [number, number]): string {
	const end = bytes.indexOf(0, offset);
	return bytes.toString("utf8", offset, end < 0 || end > offset + size ? offset + size : end);
}

/** An IPv4-mapped address keeps its dotted quad: `::ffff:10.0.0.1`. */
function addressText(bytes: Buffer, size: 4 | 16): string {
	const [offset] = RECORD_FIELDS.addr;
	const ip = [...bytes.subarray(offset, offset + size)];
	const plain = unmapIp(ip);
	return plain.length === size ? formatIp(ip) : `::ffff:${formatIp(plain)}`;
}
