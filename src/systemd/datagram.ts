/**
 * One datagram to a unix socket, which Node itself can't send: by libc, through the same koffi that the sensor needs
 * anyway. Knows nothing of who listens there, nor of what it is told.
 */

import { closeSync } from "node:fs";
import { constants, endianness } from "node:os";
import koffi from "koffi";
import { SolistendError } from "../errors.js";

/** Of socket(2) and send(2), the same on every architecture that Node 20 runs on under Linux. */
const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
/** Of `struct sockaddr_un`, unix(7). */
const FAMILY_BYTES = 2;
const PATH_BYTES = 108;

interface Native {
	socket(domain: number, type: number, protocol: number): number;
	sendto(fd: number, data: Buffer, size: number, flags: number, address: Buffer, length: number): number;
}

let bound: Native | undefined;

function native(): Native {
	if (bound === undefined) {
		const c = koffi.load("libc.so.6");
		bound = {
			socket: c.func("int socket(int domain, int type, int protocol)"),
			sendto: c.func("int64_t sendto(int fd, void *data, size_t size, int flags, void *address, uint32_t length)"),
		};
	}
	return bound;
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

function addressOf(path: string): Buffer {
	const bytes = Buffer.from(path.replace(/^@/, "\0"));
	if (!/^[@/]/.test(path) || bytes.length >= PATH_BYTES) {
		throw new SolistendError("unsupported", `cannot send to ${path}: it is no unix socket's address`);
	}
	const family = Buffer.alloc(FAMILY_BYTES);
	if (endianness() === "LE") family.writeUInt16LE(AF_UNIX);
	else family.writeUInt16BE(AF_UNIX);
	return Buffer.concat([family, bytes]);
}

function failed(path: string): SolistendError {
	const errno = koffi.errno();
	const [name = `errno ${errno}`] = Object.entries(constants.errno).find(([, number]) => number === errno) ?? [];
	return new SolistendError("unsupported", `cannot send to ${path}: ${name}`);
}
