/** A sensor with the listener table behind it, as the daemon has: for tests of what both together know. */

import type { Listener, SocketEvent, StopEvent } from "../../src/listeners/event.js";
import { createTable, type ListenerTable, type Merged } from "../../src/listeners/table.js";
import { type Losses, openSensor, type Sensor, type SensorState } from "../../src/sensor/sensor.js";
import { eventually } from "./eventually.js";

export interface WatchedTable extends AsyncDisposable {
	readonly sensor: Sensor;
	readonly table: ListenerTable;
	/** Every event of a socket so far. */
	readonly events: readonly SocketEvent[];
	/** Every stop event so far. */
	readonly stops: readonly StopEvent[];
	/** Every trouble the sensor reported. */
	readonly troubles: readonly { readonly message: string; readonly losses: Losses }[];
	/** Every state that the sensor entered since. */
	readonly states: readonly SensorState[];
	readonly reads: number;
	/** The sockets of one port, as the table has them. */
	at(port: number): Listener[];
	/** Waits for the table to have (or to lose) a listener at the port. */
	listening(port: number): Promise<Listener>;
	closed(port: number): Promise<true>;
	/** Asks for a read and waits until it has been merged. */
	read(): Promise<void>;
}

/** @param workerUrl what the sensor's worker runs; default: the watcher */
export function openWatchedTable(workerUrl?: URL): WatchedTable {
	const table = createTable();
	const events: SocketEvent[] = [];
	const stops: StopEvent[] = [];
	const troubles: { message: string; losses: Losses }[] = [];
	const states: SensorState[] = [];
	let reads = 0;
	let again = false;
	const take = (merged: Merged) => {
		again = merged.again;
		// the first read comes before there is a sensor to ask
		if (again && reads > 0) sensor.requestRead();
	};
	const sensor: Sensor = openSensor({
		workerUrl,
		onEvents(batch) {
			for (const event of batch) {
				if (event.kind === "stopping") stops.push(event);
				else if ("listener" in event) events.push(event);
			}
			take(table.fold(batch));
		},
		onRead(read) {
			take(table.merge(read));
			reads++;
		},
		onTrouble: (message, losses) => troubles.push({ message, losses }),
		onState: (state) => states.push(state),
	});
	const at = (port: number) => table.sockets().filter((listener) => listener.port === port);
	return {
		sensor,
		table,
		events,
		stops,
		troubles,
		states,
		get reads() {
			return reads;
		},
		at,
		listening: (port) => eventually(`a listener at ${port}`, () => at(port)[0]),
		closed: (port) => eventually(`no listener at ${port}`, () => at(port).length === 0 || undefined),
		async read() {
			const before = reads;
			sensor.requestRead();
			await eventually("a read of the kernel's table", () => reads > before);
		},
		[Symbol.asyncDispose]: () => sensor.close(),
	};
}
