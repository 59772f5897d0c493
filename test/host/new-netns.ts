/** Listeners of this very process, each in a network namespace that is made for it and ends with it. */

import { closeSync, openSync, statSync } from "node:fs";
import koffi from "koffi";
import { type RawSocket, rawSocket } from "./raw-socket.js";

const libc = koffi.load("libc.so.6");
const unshare: (flags: number) => number = libc.func("int unshare(int flags)");
const setns: (fd: number, type: number) => number = libc.func("int setns(int fd, int type)");
const CLONE_NEWNET = 0x4000_0000;

export interface Alone extends Disposable {
	readonly socket: RawSocket;
	/** Inode number of its namespace, which has no name and no process: the socket alone keeps it. */
	readonly netnsInode: number;
}

/** Only this thread goes there, and is back when it returns. */
export function listenAlone(count: number, port: number): Alone[] {
	const own = openSync("/proc/thread-self/ns/net", "r");
	const made: Alone[] = [];
	try {
		for (let i = 0; i < count; i++) {
			if (unshare(CLONE_NEWNET) !== 0) throw new Error(`unshare: errno ${koffi.errno()}`);
			// the loopback of a new namespace is down: only all addresses can be bound to
			const socket = rawSocket({ ipv6: true });
			made.push({
				socket,
				netnsInode: statSync("/proc/thread-self/ns/net").ino,
				[Symbol.dispose]: () => socket.close(),
			});
			const result = socket.bind(port) || socket.listen(7);
			if (result !== 0) throw new Error(`listen: errno ${-result}`);
		}
		return made;
	} catch (error) {
		for (const { socket } of made) socket.close();
		throw error;
	} finally {
		if (setns(own, CLONE_NEWNET) !== 0) process.exit(1); // nothing after this would be where it should
		closeSync(own);
	}
}
