/** A process that no longer runs, and one that no longer accepts. */

import assert from "node:assert/strict";
import { mkdtempSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import type { PausedBy, PauseEvent } from "../../../../src/listeners/event.js";
import { eventually } from "../../../host/eventually.js";
import { rawSocket } from "../../../host/raw-socket.js";
import type { Case, Group } from "../case.js";
import { nextPort, startProgram } from "../program.js";
import type { Watched } from "../watched.js";

const BACKLOG = 1;

/** A cgroup of its own, which goes with the VM: it may still hold what ends just now. */
function makeCgroup() {
	const path = mkdtempSync("/sys/fs/cgroup/case-");
	return {
		/** Runs a program in it. */
		enter: ["sh", "-c", `echo $$ >${path}/cgroup.procs && exec "$@"`, "sh"],
		freeze: () => writeFileSync(`${path}/cgroup.freeze`, "1"),
		thaw: () => writeFileSync(`${path}/cgroup.freeze`, "0"),
	};
}

/** Waits for the next event of that kind. */
function told(watched: Watched, kind: PauseEvent["kind"], by: PauseEvent["whom"]["by"], after: number) {
	return eventually(`${kind} by ${by}`, () =>
		watched.events.slice(after).find((event): event is PauseEvent => event.kind === kind && event.whom.by === by),
	);
}

/** What a read says of a port, when the table says the same. */
async function pausedBy(watched: Watched, port: number): Promise<PausedBy | undefined> {
	const { rows } = await watched.read();
	const row = rows.find((listener) => listener.port === port);
	assert(row !== undefined);
	assert.equal(watched.table.endpoints().find((endpoint) => endpoint.port === port)?.paused?.by, row.paused);
	return row.paused;
}

const cases: Case[] = [
	{
		name: "the freezer (docker pause): paused, then resumed",
		async run({ watched }) {
			const port = nextPort();
			const cgroup = makeCgroup();
			await using _server = await startProgram(["serve", port, 5], cgroup.enter);
			// the listener names the cgroup that its process was in when it called listen()
			const { cgroupId } = await watched.listening(port);
			const before = watched.events.length;
			cgroup.freeze();
			try {
				assert.deepEqual((await told(watched, "paused", "freezer", before)).whom, { by: "freezer", cgroupId });
				assert.equal(await pausedBy(watched, port), "freezer");
			} finally {
				cgroup.thaw();
			}
			assert.deepEqual((await told(watched, "resumed", "freezer", before)).whom, { by: "freezer", cgroupId });
			assert.equal(await pausedBy(watched, port), undefined);
		},
	},
	{
		name: "SIGSTOP: paused; SIGCONT: resumed",
		async run({ watched }) {
			const port = nextPort();
			await using server = await startProgram(["serve", port, 5]);
			const { pid } = await watched.listening(port);
			assert.equal(pid, server.pid);
			const before = watched.events.length;
			process.kill(pid, "SIGSTOP");
			try {
				assert.deepEqual((await told(watched, "paused", "signal", before)).whom, { by: "signal", pid });
				assert.equal(await pausedBy(watched, port), "signal");
			} finally {
				process.kill(pid, "SIGCONT");
			}
			assert.deepEqual((await told(watched, "resumed", "signal", before)).whom, { by: "signal", pid });
			assert.equal(await pausedBy(watched, port), undefined);
		},
	},
	{
		name: "a full accept queue, until there is room",
		async run({ watched }) {
			using socket = rawSocket();
			socket.bind(nextPort());
			socket.listen(BACKLOG);
			const port = socket.port();
			const { socket: id } = await watched.listening(port);
			const fullQueue = async () => (await watched.fullQueues()).find((queue) => queue.socket === id);
			assert.equal(await fullQueue(), undefined);
			const clients = Array.from({ length: BACKLOG + 1 }, () => connect(port, "127.0.0.1"));
			for (const client of clients) client.on("error", () => {});
			try {
				const full = await eventually("the queue is full", fullQueue);
				assert.equal(full.queued, BACKLOG + 1);
				assert.equal((await fullQueue())?.head, full.head, "nobody accepted: the first is the same");
				socket.listen(BACKLOG + 5);
				assert.equal(await fullQueue(), undefined, "there is room again");
			} finally {
				for (const client of clients) client.destroy();
			}
		},
	},
];

export const pauses: Group = { name: "A process", cases };
