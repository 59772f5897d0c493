/**
 * The bare path: the kernel's event → one Runtime API command over a fresh connection, nothing between. What solistend
 * is compared with. It has one server, declared before, and no idea of anything else.
 *
 *	node --import tsx bare.ts NETNS_INODE PORT RUNTIME_SOCKET SERVER
 *
 * Says `ready` when it watches; ends with its standard input.
 */

import { connect } from "node:net";
import type { KernelEvent } from "../../src/listeners/event.js";
import { openSensor } from "./rig/sensor.js";

const SIGTERM = 15;
const [netnsInode, port, socket = "", server = ""] = process.argv.slice(2);
let pid: number | undefined;

const sensor = openSensor({
	onEvents(events: readonly KernelEvent[]) {
		for (const event of events) {
			const state = stateAfter(event);
			if (state === undefined) continue;
			const connection = connect(socket);
			connection.on("error", (error) => process.stderr.write(`${error.message}\n`));
			connection.resume().end(`set server ${server} state ${state}\n`);
		}
	},
	onRead() {},
	onTrouble: (message) => process.stderr.write(`${message}\n`),
});
if ("setStopSignals" in sensor && typeof sensor.setStopSignals === "function") sensor.setStopSignals([SIGTERM]);

function stateAfter(event: KernelEvent): "ready" | "maint" | "drain" | undefined {
	if (event.kind === "stopping") return event.pid === pid ? "drain" : undefined;
	if (!("listener" in event)) return undefined;
	const { listener } = event;
	if (listener.netnsInode !== Number(netnsInode) || listener.port !== Number(port)) return undefined;
	pid = listener.pid;
	return event.kind === "listen" ? "ready" : "maint";
}

process.stdin.on("end", () => void sensor.close().then(() => process.exit()));
process.stdin.resume();
process.stdout.write("ready\n");
