/** A sensor in a process of its own, as the user that is tried, with the listener table behind it, as the daemon has. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { FullQueue, KernelEvent, Listener, Read, SocketEvent } from "../../../src/listeners/event.js";
import { createTable, type ListenerTable, type Merged } from "../../../src/listeners/table.js";
import type { Hooks } from "../../../src/sensor/hooks.js";
import type { Losses } from "../../../src/sensor/sensor.js";
import { eventually } from "../../host/eventually.js";
import type { Request, Told } from "./protocol.js";
import type { Way } from "./report.js";

export interface Watched {
	readonly pid: number;
	readonly table: ListenerTable;
	readonly hooks: Hooks;
	readonly libbpf: string;
	/** Every event so far. */
	readonly events: readonly KernelEvent[];
	/** Every trouble that the sensor reported. */
	readonly troubles: readonly { readonly message: string; readonly losses: Losses }[];
	/** The sockets of one port, as the table has them. */
	at(port: number): Listener[];
	/** The events of a port's sockets, in order. */
	eventsAt(port: number): readonly SocketEvent[];
	/** Waits for the table to have a listener at the port. */
	listening(port: number): Promise<Listener>;
	closed(port: number): Promise<true>;
	/** Asks for a read and waits until it has been merged; what it had. */
	read(): Promise<Read>;
	/** The listeners whose accept queue is full now. */
	fullQueues(): Promise<readonly FullQueue[]>;
	/** Makes the worker thread die at the next event. */
	crash(): Promise<void>;
	/** @throws Error when its process does not end by itself, and well */
	close(): Promise<void>;
}

const PROCESS = fileURLToPath(new URL("sensor-process.js", import.meta.url));
/** Under emulation everything takes ten times as long. */
const PATIENCE = { timeoutMs: 30_000 };

/** What runs a program as a user with the two capabilities, and no more. By its path: busybox has one that can less. */
const UNPRIVILEGED = [
	"/usr/bin/setpriv",
	"--reuid=1000",
	"--regid=1000",
	"--clear-groups",
	"--inh-caps=-all,+bpf,+perfmon",
	"--ambient-caps=-all,+bpf,+perfmon",
	"--bounding-set=-all,+bpf,+perfmon",
	"--no-new-privs",
];

/**
 * Starts the sensor, and waits for its first read.
 *
 * @throws Error with the sensor's own words when it does not start
 */
export async function openWatched({ user, memlock }: Way): Promise<Watched> {
	const limited = ["-c", 'ulimit -l "$0" && exec "$@"', String(memlock)];
	const command = [...limited, ...(user === "root" ? [] : UNPRIVILEGED), process.execPath, PROCESS];
	const child = spawn("/bin/sh", command, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
	const { pid } = child;
	if (pid === undefined) throw new Error("cannot start a shell");
	const exited = once(child, "exit");

	const table = createTable();
	const events: KernelEvent[] = [];
	const eventsByPort = new Map<number, SocketEvent[]>();
	const troubles: { message: string; losses: Losses }[] = [];
	let reads = 0;
	let lastRead: Read | undefined;
	let crashes = 0;
	let queues: readonly FullQueue[] | undefined;
	let begun: Extract<Told, { type: "ready" | "failed" }> | undefined;
	const keep = (event: KernelEvent) => {
		events.push(event);
		if (!("listener" in event)) return;
		const { port } = event.listener;
		const ofPort = eventsByPort.get(port);
		if (ofPort === undefined) eventsByPort.set(port, [event]);
		else ofPort.push(event);
	};
	const ask = (request: Request) => {
		if (child.connected) child.send(request);
	};
	const take = ({ again }: Merged) => {
		if (again) ask({ type: "read" });
	};
	child.on("message", (told: Told) => {
		switch (told.type) {
			case "ready":
			case "failed":
				begun = told;
				return;
			case "events":
				for (const event of told.events) keep(event);
				take(table.fold(told.events));
				return;
			case "read":
				reads++;
				lastRead = told.read;
				take(table.merge(told.read));
				return;
			case "trouble":
				troubles.push(told);
				return;
			case "crashing":
				crashes++;
				return;
			case "fullQueues":
				queues = told.queues;
				return;
			default:
				told satisfies never;
		}
	});

	const ready = await eventually("the sensor has started", () => begun ?? (child.exitCode !== null && null), PATIENCE);
	if (ready?.type !== "ready") {
		await exited;
		throw new Error(ready?.message ?? `the sensor's process ended with ${child.exitCode ?? child.signalCode}`);
	}

	const at = (port: number) => table.sockets().filter((listener) => listener.port === port);
	return {
		pid,
		table,
		hooks: ready.hooks,
		libbpf: ready.libbpf,
		events,
		troubles,
		at,
		eventsAt: (port) => eventsByPort.get(port) ?? [],
		listening: (port) => eventually(`a listener at ${port}`, () => at(port)[0], PATIENCE),
		closed: (port) => eventually(`no listener at ${port}`, () => at(port).length === 0, PATIENCE),
		async read() {
			const before = reads;
			ask({ type: "read" });
			return await eventually("a read of the kernel's table", () => (reads > before ? lastRead : undefined), PATIENCE);
		},
		async fullQueues() {
			queues = undefined;
			ask({ type: "fullQueues" });
			return await eventually("a look at the accept queues", () => queues, PATIENCE);
		},
		async crash() {
			const before = crashes;
			ask({ type: "crash" });
			await eventually("the worker is to die", () => crashes > before, PATIENCE);
		},
		async close() {
			ask({ type: "close" });
			await eventually("the sensor's process has ended", () => child.exitCode !== null, PATIENCE).finally(() =>
				child.kill("SIGKILL"),
			);
			if (child.exitCode !== 0) throw new Error(`the sensor's process ended with ${child.exitCode}`);
		},
	};
}
