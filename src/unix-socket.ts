/**
 * Unix sockets by the system's own calls, through the same koffi that the sensor needs anyway: a datagram, which Node can't
 * send, a connection that says something at once, and a question whose answer comes at once. Knows nothing of who listens
 * there, nor of what is said.
 */

import { closeSync } from "node:fs";
import { constants, endianness } from "node:os";
import koffi from "koffi";
import { SolistendError } from "./errors.js";

/** Of socket(2) and send(2), the same on every architecture that Node 20 runs on under Linux. */
const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40;
const MSG_WAITALL = 0x100;
const MSG_NOSIGNAL = 0x4000;
/** Of socket(7), on all of these but MIPS and SPARC; their value is two `long`s: seconds and microseconds. */
const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;
const SO_SNDTIMEO = 21;
/** Of `struct sockaddr_un`, unix(7). */
const FAMILY_BYTES = 2;
const PATH_BYTES = 108;
const FAMILY = Buffer.alloc(FAMILY_BYTES);
FAMILY.writeUInt8(AF_UNIX, endianness() === "LE" ? 0 : 1);

interface Native {
	socket(domain: number, type: number, protocol: number): number;
	connect(fd: number, address: Buffer, length: number): number;
	setsockopt(fd: number, level: number, name: number, value: Buffer, length: number): number;
	send(fd: number, data: Buffer, size: number, flags: number): number;
	recv(fd: number, data: Buffer, size: number, flags: number): number;
	sendto(fd: number, data: Buffer, size: number, flags: number, address: Buffer, length: number): number;
}

let bound: Native | undefined;

function native(): Native {
	if (bound === undefined) {
		const c = koffi.load("libc.so.6");
		bound = {
			socket: c.func("int socket(int domain, int type, int protocol)"),
			connect: c.func("int connect(int fd, void *address, uint32_t length)"),
			setsockopt: c.func("int setsockopt(int fd, int level, int name, void *value, uint32_t length)"),
			send: c.func("int64_t send(int fd, void *data, size_t size, int flags)"),
			recv: c.func("int64_t recv(int fd, void *data, size_t size, int flags)"),
			sendto: c.func("int64_t sendto(int fd, void *data, size_t size, int flags, void *address, uint32_t length)"),
		};
	}
	return bound;
}

/** A connection over which something was said. */
export interface Said {
	/** Its descriptor, from now on the caller's to close. */
	readonly fd: number;
	/** So many bytes were taken: the rest is to follow. */
	readonly bytes: number;
}

/**
 * Connects to a stream socket and says something, without a turn of the event loop between the two, as Node itself needs
 * one.
 *
 * @param path absolute
 * @returns undefined where that can't be done at once: Node's own way waits for it, and has words for what is wrong
 */
export function connectAndSay(path: string, text: Buffer): Said | undefined {
	const address = pathAddress(path);
	if (address === undefined) return undefined;
	const { socket, connect, send } = native();
	const fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) return undefined;
	const bytes = connect(fd, address, address.length) < 0 ? -1 : send(fd, text, text.length, MSG_NOSIGNAL);
	if (bytes >= 0) return { fd, bytes };
	closeSync(fd);
	return undefined;
}

/**
 * Asks over a connection of its own, and waits for an answer that is over soon, which takes less of a CPU than a socket of
 * Node's does. Nothing else is done meanwhile.
 *
 * @param path absolute
 * @param room most bytes of an answer
 * @param waitMs a whole number; for each of its steps, which the kernel rounds up to its tick
 * @returns undefined where the answer is not whole by then, or nobody is there: Node's own way waits, and has words for it
 */
export function askAtOnce(path: string, text: Buffer, room: number, waitMs: number): Buffer | undefined {
	const address = pathAddress(path);
	if (address === undefined) return undefined;
	const { socket, setsockopt, connect, send, recv } = native();
	const fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0) return undefined;
	try {
		const wait = new BigInt64Array([BigInt(Math.floor(waitMs / 1000)), BigInt((waitMs % 1000) * 1000)]);
		const value = Buffer.from(wait.buffer);
		for (const name of [SO_SNDTIMEO, SO_RCVTIMEO]) {
			if (setsockopt(fd, SOL_SOCKET, name, value, value.length) < 0) return undefined;
		}
		if (connect(fd, address, address.length) < 0) return undefined;
		if (send(fd, text, text.length, MSG_NOSIGNAL) < text.length) return undefined;
		const answer = Buffer.allocUnsafe(room);
		const bytes = recv(fd, answer, room, MSG_WAITALL);
		// Who filled it may have more to say.
		return bytes < 0 || bytes === room ? undefined : answer.subarray(0, bytes);
	} finally {
		closeSync(fd);
	}
}

/**
 * Sends one datagram, and never waits.
 *
 * @param path of the socket; one that begins with `@` is abstract, unix(7)
 * @throws SolistendError when it was not taken, for example since the receiver's queue is full.
 */
export function sendDatagram(path: string, text: string): void {
	const address = addressOf(path);
	const { socket, sendto } = native();
	const fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0) throw failed(path);
	try {
		const data = Buffer.from(text);
		const sent = sendto(fd, data, data.length, MSG_DONTWAIT | MSG_NOSIGNAL, address, address.length);
		if (sent < 0) throw failed(path);
	} finally {
		closeSync(fd);
	}
}

/** Undefined for a path that is none, or too long. */
function pathAddress(path: string): Buffer | undefined {
	const name = Buffer.from(path);
	return path.startsWith("/") && name.length < PATH_BYTES ? Buffer.concat([FAMILY, name]) : undefined;
}

function addressOf(path: string): Buffer {
	const bytes = Buffer.from(path.replace(/^@/, "\0"));
	if (!/^[@/]/.test(path) || bytes.length >= PATH_BYTES) {
		throw new SolistendError("unsupported", `cannot send to ${path}: it is no unix socket's address`);
	}
	return Buffer.concat([FAMILY, bytes]);
}

function failed(path: string): SolistendError {
	const errno = koffi.errno();
	const [name = `errno ${errno}`] = Object.entries(constants.errno).find(([, number]) => number === errno) ?? [];
	return new SolistendError("unsupported", `cannot send to ${path}: ${name}`);
}
