/**
 * What a service tells its manager, by the protocol of sd_notify(3): assignments, one a line, in a datagram to the socket
 * that NOTIFY_SOCKET names. Knows nothing of the daemon's stages.
 *
 * By the protocol itself, since Node sends no datagrams to unix sockets, libraries that do compile native code where they
 * are installed, and `systemd-notify` would be a process for every word, which the manager may see ended before it
 * reads where it came from.
 */

import { SolistendError } from "../errors.js";
import { sendDatagram } from "../unix-socket.js";

/** The manager of this process. Nothing of it throws: whoever can't be told is told again with the next word. */
export interface Manager {
	/** How often it wants to hear that work goes on, in milliseconds; undefined: it does not watch. */
	readonly watchdogMs: number | undefined;
	/** Work begins, or goes on after a reload. */
	ready(): void;
	/** A new configuration is being read; `ready` ends that. */
	reloading(): void;
	stopping(): void;
	/** One line for people, shown by `systemctl status`; said only when it is another one than before. */
	status(text: string): void;
	/** Work goes on. */
	alive(): void;
}

/** The parts of the environment that a manager sets. */
export interface ManagerEnvironment {
	NOTIFY_SOCKET?: string | undefined;
	WATCHDOG_USEC?: string | undefined;
	WATCHDOG_PID?: string | undefined;
}

/**
 * The manager that started this process, undefined where there is none. Takes its words out of the environment, so that
 * no child speaks in our name.
 *
 * @param send default: a datagram
 */
export function takeManager(
	environment: ManagerEnvironment = process.env,
	send: (path: string, text: string) => void = sendDatagram,
): Manager | undefined {
	const { NOTIFY_SOCKET: socket, WATCHDOG_USEC: usec, WATCHDOG_PID: pid } = environment;
	for (const name of ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"] as const) delete environment[name];
	if (socket === undefined || socket === "") return undefined;

	const isWatched = usec !== undefined && /^[1-9]\d*$/.test(usec) && (pid === undefined || pid === String(process.pid));
	/** What the manager has not taken yet, by name; the newest word of each. */
	const unsaid = new Map<string, string>();
	let shown: string | undefined;

	const say = (words: Readonly<Record<string, string>>) => {
		for (const [name, value] of Object.entries(words)) {
			// In the order in which they were said: a state that was overtaken by another one is none any more.
			unsaid.delete(name);
			unsaid.set(name, value);
		}
		try {
			send(socket, [...unsaid].map(([name, value]) => `${name}=${value}\n`).join(""));
			unsaid.clear();
		} catch (error) {
			if (!(error instanceof SolistendError)) throw error;
			// Its queue is full, or it executes itself anew. It is told with the next word, of which there is one at each tick.
		}
	};

	return {
		watchdogMs: isWatched ? Number(usec) / 1000 : undefined,
		ready() {
			unsaid.delete("RELOADING");
			say({ READY: "1" });
		},
		reloading() {
			unsaid.delete("READY");
			// Of the clock that newer managers compare with the time of their request; older ones pass over it.
			say({ RELOADING: "1", MONOTONIC_USEC: String(process.hrtime.bigint() / 1000n) });
		},
		stopping: () => say({ STOPPING: "1" }),
		status(text) {
			if (text === shown) return;
			shown = text;
			say({ STATUS: text.replaceAll("\n", " ") });
		},
		alive: () => say({ WATCHDOG: "1" }),
	};
}
