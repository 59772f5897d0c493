/** The process that called `listen()`, as the kernel reported it: is the one with its number still the same? Pure. */

import type { Listener } from "../listeners/event.js";
import type { Procfs } from "./procfs.js";

/** False when the process is gone, or when its number belongs to one that started after the event. */
export function isStillThere(procfs: Pick<Procfs, "startedAtNs">, { pid, atNs }: Listener): boolean {
	const startedAtNs = procfs.startedAtNs(pid);
	return startedAtNs !== undefined && startedAtNs <= atNs;
}
