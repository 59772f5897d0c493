/** Runs code of this very process in another network namespace. Knows nothing of what it does there. */

import { closeSync, openSync } from "node:fs";
import koffi from "koffi";
import type { Netns } from "./netns.js";

const libc = koffi.load("libc.so.6");
const setns: (fd: number, type: number) => number = libc.func("int setns(int fd, int type)");
const CLONE_NEWNET = 0x4000_0000;

/** Sockets that `action` makes are of that namespace. Only this thread enters it, so `action` is synchronous. */
export function withinNetns<T>({ name }: Netns, action: () => T): T {
	const own = openSync("/proc/thread-self/ns/net", "r");
	const other = openSync(`/run/netns/${name}`, "r");
	try {
		enter(other);
		return action();
	} finally {
		enter(own);
		closeSync(own);
		closeSync(other);
	}
}

function enter(fd: number): void {
	if (setns(fd, CLONE_NEWNET) !== 0) throw new Error(`setns: errno ${koffi.errno()}`);
}
