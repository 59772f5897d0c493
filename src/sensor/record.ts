/**
 * Bytes from the kernel → events. Mirrors `struct record` and `struct losses` of `bpf/record.h`; a test holds the
 * offsets against the compiled object's BTF. Pure.
 */

import { formatIp, unmapIp } from "../ip.js";
import type { FullQueue, KernelEvent, Listener, PausedBy } from "../listeners/event.js";
import { type NetnsKey, netnsKey, socketId } from "../listeners/ids.js";

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
	paused: [163, 1],
	pad0: [164, 4],
} as const satisfies Record<string, readonly [offset: number, size: number]>;

/** Size of `struct record`, in bytes. */
export const RECORD_SIZE = 168;

/** Size of `struct row`, in bytes: a record, and what only the kernel side needs. */
export const ROW_SIZE = RECORD_SIZE + 24;

/** Version of the records; one with another is not read. */
export const RECORD_VERSION = 3;
const AF_INET = 2;
const AF_INET6 = 10;
const IPPROTO_MPTCP = 262;
const KINDS = new Map<number, (KernelEvent | LimitedMark)["kind"]>([
	[1, "listen"],
	[2, "close"],
	[3, "stopping"],
	[4, "paused"],
	[5, "resumed"],
	[6, "relisten"],
	[7, "limited"],
]);
const PAUSED_BY = new Map<number, PausedBy>([
	[1, "freezer"],
	[2, "signal"],
]);

/**
 * A network namespace is over its rate: events of it were dropped, and counted. Its rows in the kernel's table are true.
 * Told at most every 100 ms for each namespace, for as long as it lasts.
 */
export interface LimitedMark {
	readonly kind: "limited";
	readonly netns: NetnsKey;
	readonly netnsInode: number;
	/** Boot-time nanoseconds of an event that was dropped. */
	readonly atNs: number;
}

/** What is in `bytes`, or undefined when they are no record of this version. Copies all that it keeps. */
export function decodeRecord(bytes: Buffer): KernelEvent | LimitedMark | undefined {
	if (bytes.length < RECORD_SIZE || bytes[RECORD_FIELDS.version[0]] !== RECORD_VERSION) return undefined;
	const kind = KINDS.get(bytes.readUInt8(RECORD_FIELDS.kind[0]));
	if (kind === "listen" || kind === "relisten" || kind === "close") {
		const listener = decodeListener(bytes);
		return listener && { kind, listener };
	}
	const pid = bytes.readUInt32LE(RECORD_FIELDS.pid[0]);
	const atNs = Number(bytes.readBigUInt64LE(RECORD_FIELDS.at_ns[0]));
	switch (kind) {
		case undefined:
			return undefined;
		case "stopping": {
			const signal = bytes.readUInt8(RECORD_FIELDS.signal[0]);
			const pidNamespace = bytes.readUInt32LE(RECORD_FIELDS.pidns[0]);
			const isInit = bytes.readUInt8(RECORD_FIELDS.is_init[0]) !== 0;
			return { kind, signal, pid, pidNamespace, isInit, comm: text(bytes, RECORD_FIELDS.comm), atNs };
		}
		case "paused":
		case "resumed": {
			const by = PAUSED_BY.get(bytes.readUInt8(RECORD_FIELDS.paused[0]));
			const cgroupId = bytes.readBigUInt64LE(RECORD_FIELDS.cgroup[0]).toString();
			if (by === undefined) return undefined;
			return { kind, whom: by === "freezer" ? { by, cgroupId } : { by, pid }, atNs };
		}
		case "limited": {
			const netnsInode = bytes.readUInt32LE(RECORD_FIELDS.netns[0]);
			return { kind, netns: netnsKey(bytes.readBigUInt64LE(RECORD_FIELDS.netns_cookie[0])), netnsInode, atNs };
		}
		default:
			return kind satisfies never;
	}
}

/** The socket that a record tells of; undefined when its family is not known. */
function decodeListener(bytes: Buffer): Listener | undefined {
	const family = bytes.readUInt8(RECORD_FIELDS.family[0]);
	if (family !== AF_INET && family !== AF_INET6) return undefined;
	const paused = PAUSED_BY.get(bytes.readUInt8(RECORD_FIELDS.paused[0]));
	return {
		socket: socketId(decimal(bytes, RECORD_FIELDS.cookie[0])),
		netns: netnsKey(decimal(bytes, RECORD_FIELDS.netns_cookie[0])),
		netnsInode: bytes.readUInt32LE(RECORD_FIELDS.netns[0]),
		taskNetnsInode: bytes.readUInt32LE(RECORD_FIELDS.task_netns[0]),
		family: family === AF_INET ? "ipv4" : "ipv6",
		address: addressText(bytes, family === AF_INET ? 4 : 16),
		port: bytes.readUInt16LE(RECORD_FIELDS.port[0]),
		ipv6Only: bytes.readUInt8(RECORD_FIELDS.ipv6only[0]) !== 0,
		protocol: bytes.readUInt16LE(RECORD_FIELDS.protocol[0]) === IPPROTO_MPTCP ? "mptcp" : "tcp",
		backlog: bytes.readUInt32LE(RECORD_FIELDS.backlog[0]),
		pid: bytes.readUInt32LE(RECORD_FIELDS.pid[0]),
		comm: text(bytes, RECORD_FIELDS.comm),
		hostname: text(bytes, RECORD_FIELDS.hostname),
		pidNamespace: bytes.readUInt32LE(RECORD_FIELDS.pidns[0]),
		cgroupId: decimal(bytes, RECORD_FIELDS.cgroup[0]),
		atNs: Number(bytes.readBigUInt64LE(RECORD_FIELDS.at_ns[0])),
		...(paused !== undefined && { paused }),
	};
}

/** Size of `struct full_queue`, in bytes. */
export const FULL_QUEUE_SIZE = 24;

/**
 * What the walk over full accept queues wrote.
 *
 * @param mask a random number that hides the kernel's addresses: 64 bits, the same at each look
 */
export function decodeFullQueues(bytes: Buffer, mask: bigint): FullQueue[] {
	const queues: FullQueue[] = [];
	for (let at = 0; at + FULL_QUEUE_SIZE <= bytes.length; at += FULL_QUEUE_SIZE) {
		queues.push({
			socket: socketId(bytes.readBigUInt64LE(at)),
			head: (bytes.readBigUInt64LE(at + 8) ^ mask).toString(),
			queued: bytes.readUInt32LE(at + 16),
		});
	}
	return queues;
}

/** What the kernel side lost since it was loaded, by reason. */
export interface KernelLosses {
	/** Events dropped: the ring buffer was full. */
	readonly ringFull: number;
	/** Rows missing in `listeners`: the map was full. */
	readonly tableFull: number;
	/** Events dropped: their network namespace was over its rate. */
	readonly limited: number;
}

/** Size of `struct losses`, in bytes. */
export const LOSSES_SIZE = 24;

export function decodeLosses(bytes: Buffer): KernelLosses {
	const count = (index: number) => Number(bytes.readBigUInt64LE(8 * index));
	return { ringFull: count(0), tableFull: count(1), limited: count(2) };
}

/** A number of 64 bits; nearly all of them are small enough to do without a BigInt. */
function decimal(bytes: Buffer, offset: number): string {
	const high = bytes.readUInt32LE(offset + 4);
	if (high >= 2 ** 21) return bytes.readBigUInt64LE(offset).toString();
	return (high * 2 ** 32 + bytes.readUInt32LE(offset)).toString();
}

/** A NUL-terminated string in a fixed field. */
function text(bytes: Buffer, [offset, size]: readonly [number, number]): string {
	const end = bytes.indexOf(0, offset);
	return bytes.toString("utf8", offset, end < 0 || end > offset + size ? offset + size : end);
}

/** An IPv4-mapped address keeps its dotted quad: `::ffff:10.0.0.1`. */
function addressText(bytes: Buffer, size: 4 | 16): string {
	const [offset] = RECORD_FIELDS.addr;
	if (size === 4) return `${bytes[offset]}.${bytes[offset + 1]}.${bytes[offset + 2]}.${bytes[offset + 3]}`;
	const ip = [...bytes.subarray(offset, offset + size)];
	const plain = unmapIp(ip);
	return plain === ip ? formatIp(ip) : `::ffff:${formatIp(plain)}`;
}
