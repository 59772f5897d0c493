/** Sockets by system call, for what Node's `net` can't do: listen without bind, listen twice, hide one in flight. */

import koffi from "koffi";

const libc = koffi.load("libc.so.6");
const c: {
	socket(family: number, type: number, protocol: number): number;
	bind(fd: number, address: Buffer, length: number): number;
	listen(fd: number, backlog: number): number;
	accept(fd: number, address: null, length: null): number;
	close(fd: number): number;
	setsockopt(fd: number, level: number, name: number, value: Buffer, length: number): number;
	getsockname(fd: number, address: Buffer, length: Buffer): number;
	socketpair(family: number, type: number, protocol: number, fds: Buffer): number;
	sendmsg(fd: number, message: object, flags: number): number;
	recvmsg(fd: number, message: object, flags: number): number;
} = {
	socket: libc.func("int socket(int family, int type, int protocol)"),
	bind: libc.func("int bind(int fd, void *address, uint32_t length)"),
	listen: libc.func("int listen(int fd, int backlog)"),
	accept: libc.func("int accept(int fd, void *address, void *length)"),
	close: libc.func("int close(int fd)"),
	setsockopt: libc.func("int setsockopt(int fd, int level, int name, void *value, uint32_t length)"),
	getsockname: libc.func("int getsockname(int fd, void *address, void *length)"),
	socketpair: libc.func("int socketpair(int family, int type, int protocol, void *fds)"),
	sendmsg: libc.func("sendmsg", "long", [
		"int",
		koffi.pointer(
			koffi.struct("solistend_msghdr", {
				name: "void *",
				namelen: "uint32_t",
				iov: koffi.pointer(koffi.struct("solistend_iovec", { base: "void *", length: "size_t" })),
				iovlen: "size_t",
				control: "void *",
				controllen: "size_t",
				flags: "int",
			}),
		),
		"int",
	]),
	recvmsg: libc.func("recvmsg", "long", ["int", "solistend_msghdr *", "int"]),
};

const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
/** `SOCK_STREAM | SOCK_CLOEXEC`: no process that a test starts holds them, too. */
const SOCK_STREAM = 1 | 0o2000000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_REUSEPORT = 15;
const SCM_RIGHTS = 1;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
export const IPPROTO_MPTCP = 262;

export interface RawSocket extends Disposable {
	readonly fd: number;
	/** The port that it is bound to; 0 when it is not. */
	port(): number;
	/** @returns 0, or the negative errno */
	bind(port: number): number;
	/** @returns 0, or the negative errno */
	listen(backlog: number): number;
	close(): void;
}

export interface RawSocketOptions {
	readonly ipv6?: boolean;
	readonly ipv6Only?: boolean;
	readonly reuseAddress?: boolean;
	readonly reusePort?: boolean;
	readonly protocol?: number;
}

/** A TCP socket; `bind` takes 127.0.0.1 or `::`. */
export function rawSocket(options: RawSocketOptions = {}): RawSocket {
	const { ipv6 = false, ipv6Only = false, reuseAddress = false, reusePort = false, protocol = 0 } = options;
	const family = ipv6 ? AF_INET6 : AF_INET;
	const fd = must("socket", c.socket(family, SOCK_STREAM, protocol));
	if (reuseAddress) must("setsockopt", c.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, int(1), 4));
	if (reusePort) must("setsockopt", c.setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, int(1), 4));
	if (ipv6) must("setsockopt", c.setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, int(ipv6Only ? 1 : 0), 4));
	let open = true;
	const close = () => {
		if (open) c.close(fd);
		open = false;
	};
	return {
		fd,
		port() {
			const address = Buffer.alloc(28);
			must("getsockname", c.getsockname(fd, address, int(address.length)));
			return address.readUInt16BE(2);
		},
		bind(port) {
			const address = Buffer.alloc(ipv6 ? 28 : 16);
			address.writeUInt16LE(family, 0);
			address.writeUInt16BE(port, 2);
			if (!ipv6) address.set([127, 0, 0, 1], 4);
			return result(c.bind(fd, address, address.length));
		},
		listen: (backlog) => result(c.listen(fd, backlog)),
		close,
		[Symbol.dispose]: close,
	};
}

/**
 * Puts a socket where no file descriptor refers to it: into a message between two ends of a socket pair. `land` takes
 * it out again, as a new descriptor.
 */
export function sendIntoFlight(socket: RawSocket): { land(): number; close(): void } {
	const pair = Buffer.alloc(8);
	must("socketpair", c.socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	const [from, to] = [pair.readInt32LE(0), pair.readInt32LE(4)];
	const control = Buffer.alloc(24);
	control.writeBigUInt64LE(20n, 0);
	control.writeInt32LE(SOL_SOCKET, 8);
	control.writeInt32LE(SCM_RIGHTS, 12);
	control.writeInt32LE(socket.fd, 16);
	must("sendmsg", c.sendmsg(from, message(control), 0));
	socket.close();
	return {
		land() {
			const received = Buffer.alloc(24);
			must("recvmsg", c.recvmsg(to, message(received), 0));
			return received.readInt32LE(16);
		},
		close() {
			c.close(from);
			c.close(to);
		},
	};
}

/** Takes the first connection out of the queue; waits where there is none. @returns its descriptor */
export const acceptOne = (socket: RawSocket): number => must("accept", c.accept(socket.fd, null, null));

export const closeFd = (fd: number): void => void c.close(fd);

function message(control: Buffer): object {
	const payload = Buffer.alloc(1);
	return {
		name: null,
		namelen: 0,
		iov: { base: payload, length: payload.length },
		iovlen: 1,
		control,
		controllen: control.length,
		flags: 0,
	};
}

function int(value: number): Buffer {
	const bytes = Buffer.alloc(4);
	bytes.writeInt32LE(value);
	return bytes;
}

const result = (value: number): number => (value < 0 ? -koffi.errno() : value);

function must(call: string, value: number): number {
	if (value < 0) throw new Error(`${call}: errno ${koffi.errno()}`);
	return value;
}
