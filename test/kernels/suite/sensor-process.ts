/**
 * The process that the sensor runs in, as whoever the suite started it as: hands on what the sensor tells. Knows nothing of
 * cases.
 */

import type { Worker } from "node:worker_threads";
import { messageOf } from "../../../src/errors.js";
import { libbpfVersion } from "../../../src/sensor/libbpf.js";
import { openSensor, type Sensor } from "../../../src/sensor/sensor.js";
import type { Request, Told } from "./protocol.js";

const tell = (told: Told) => void process.send?.(told);

let worker: Worker | undefined;
process.on("worker", (started: Worker) => {
	worker = started;
});

function open(): Sensor | undefined {
	try {
		return openSensor({
			onEvents: (events) => tell({ type: "events", events }),
			onRead: (read) => tell({ type: "read", read }),
			onTrouble: (message, losses) => tell({ type: "trouble", message, losses }),
		});
	} catch (error) {
		tell({ type: "failed", message: messageOf(error) });
		return undefined;
	}
}

const sensor = open();
if (sensor === undefined) {
	process.disconnect();
} else {
	process.on("message", (request: Request) => {
		switch (request.type) {
			case "read":
				sensor.requestRead();
				return;
			case "crash":
				void worker?.terminate();
				tell({ type: "crashing" });
				return;
			case "fullQueues":
				tell({ type: "fullQueues", queues: sensor.readFullQueues() });
				return;
			case "close":
				void sensor.close().then(() => process.disconnect());
				return;
			default:
				request satisfies never;
		}
	});
	tell({ type: "ready", hooks: sensor.hooks(), libbpf: libbpfVersion() });
}
