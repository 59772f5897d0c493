/** What doctor says of another HAProxy that listens where this one does. */

import type { Listener } from "../../listeners/event.js";
import type { Finding } from "../finding.js";
import { masterOf, type Running } from "./haproxy-running.js";
import { commandOf, listProcesses, placeOf } from "./processes.js";
import { placesOf, sharersOf } from "./shared-ports.js";

/** None where it is not known who listens. */
export function portsFindings(
	name: string,
	{ tree }: Extract<Running, { state: "found" }>,
	listeners: readonly Listener[] | undefined,
): Finding[] {
	if (listeners === undefined) return [];
	const isOwn = (pid: number) => tree.has(pid);
	const own = placesOf(listeners, isOwn);
	if (own.length === 0) return [];
	// An old worker of ours may have ended since the listeners were read.
	const sharers = sharersOf(listeners, isOwn).filter(({ pid }) => commandOf(pid).length > 0);
	if (sharers.length === 0) return [{ name, state: "ok", detail: `no other HAProxy listens at ${own.join(", ")}` }];
	const processes = listProcesses();
	return sharers.map(({ pid, places }): Finding => {
		const { unit, container } = placeOf(pid);
		const master = masterOf(pid, processes);
		// One that was started by hand may be in the unit of whoever did it, which is not to be stopped.
		const isService = container === undefined && unit?.startsWith("haproxy") && unit.endsWith(".service");
		const mend = isService ? `systemctl disable --now ${unit}` : `kill ${master}`;
		const what = `${commandOf(pid).join(" ")}${unit === undefined ? "" : `, of ${unit}`}`;
		const why = "the kernel gives it a part of the connections, and its backends are not kept by anybody";
		const detail = `another HAProxy, process ${master} (${what}), listens at ${places.join(", ")}, too: ${why} (${mend})`;
		return { name, state: "failed", detail };
	});
}
