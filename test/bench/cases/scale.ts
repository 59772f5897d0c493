/** Ten thousand listeners in a thousand namespaces, and a host with many open files: what a start and a resync take. */

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { stringify } from "yaml";
import { createTable } from "../../../src/listeners/table.js";
import { startDaemon } from "../../host/daemon.js";
import { type Lifetime, lifetime } from "../../host/lifetime.js";
import { tempFolder } from "../../host/temp-folder.js";
import { beside, type Figure, type Section } from "../figure.js";
import { startDialogue } from "../rig/dialogue.js";
import { native } from "../rig/native.js";
import { openKernel } from "../rig/sensor.js";
import { cpuMs } from "../rig/usage.js";
import { percentile, summary } from "../statistics.js";

const NAMESPACES = 1000;
const LISTENERS = 10_000;
const FIRST = 8000;
const FILES = 100_000;
const STARTS = 5;
const SEEDS = 10;
const READS = 20;
/** A read comes some time after the one before, when caches hold other things. */
const QUIET_MS = 100;
const START_GOAL_MS = 1000;
const READ_GOAL_MS = 20;
const SEED_GOAL_MS = 100;

export async function scale(): Promise<Section> {
	await using owned = lifetime();
	const crowd = await hold(owned, "crowd", NAMESPACES, LISTENERS / NAMESPACES, FIRST);
	const starts = await startTimes();
	const reads = await readTimes();
	await hold(owned, "hoard", FILES, 0);
	const seeds = seedTimes();
	await crowd.close();
	return {
		title: `${LISTENERS.toLocaleString("en")} listeners in ${NAMESPACES.toLocaleString("en")} namespaces`,
		text: `In each namespace a process of its own, with an address and ${LISTENERS / NAMESPACES} listeners; all are backends of one service. A start is
from that of the process, Node's included, until the daemon says that it is ready, with every listener judged; no proxy is
configured. A resync is a read of the kernel's table and its merge into the daemon's. The seed looks at every open file on
the host; for it some processes hold ${FILES.toLocaleString("en")} files more. Figures are p50 / p99 / max.`,
		figures: [
			figure(`start → all listeners known and judged, ${STARTS} times`, starts.times, START_GOAL_MS),
			beside("– CPU of the daemon for that", summary(starts.cpu)),
			figure(`resync, ${READS} times`, reads.all, READ_GOAL_MS),
			beside("– of it the read", summary(reads.read)),
			beside("– the first one, into an empty table", summary([reads.firstMs])),
			figure(`seed with ${FILES.toLocaleString("en")} more open files, ${SEEDS} times`, seeds, SEED_GOAL_MS),
		],
	};
}

const figure = (what: string, times: readonly number[], mostMs: number): Figure => ({
	what,
	measured: summary(times),
	goal: `p50 ≤ ${mostMs} ms`,
	met: percentile(times, 0.5) <= mostMs,
});

/** Starts a program that says when it is ready, and then keeps what it has until its input ends. */
async function hold(owned: Lifetime, name: "crowd" | "hoard", ...words: number[]) {
	const dialogue = owned.own(startDialogue([await native(name), ...words.map(String)]));
	await dialogue.next();
	return dialogue;
}

async function startTimes(): Promise<{ times: readonly number[]; cpu: readonly number[] }> {
	await using owned = lifetime();
	const { path: folder } = owned.own(await tempFolder("solistend-bench"));
	const config = join(folder, "solistend.yaml");
	const services = { web: { match: { port: `${FIRST}-${FIRST + LISTENERS / NAMESPACES - 1}`, comm: "crowd" } } };
	const places = { addresses: ["10.200.0.0/16"], state: folder, admin: { socket: join(folder, "admin.sock") } };
	await writeFile(config, stringify({ services, proxies: [], ...places }));
	const times: number[] = [];
	const cpu: number[] = [];
	for (let run = 0; run < STARTS; run++) {
		const startedMs = performance.now();
		await using daemon = startDaemon({ config });
		const { services: found } = await daemon.waitFor("ready", { timeoutMs: 30_000 });
		times.push(performance.now() - startedMs);
		cpu.push(await cpuMs(daemon.pid));
		if (JSON.stringify(found) !== JSON.stringify({ web: LISTENERS })) {
			throw new Error(`not all of ${LISTENERS} listeners are in: ${JSON.stringify(found)}`);
		}
	}
	return { times, cpu };
}

/** A kernel side and a table as the daemon has them, without the rest. */
async function readTimes() {
	const kernel = openKernel();
	try {
		const table = createTable();
		kernel.attach();
		kernel.seed();
		const [read, all]: [number[], number[]] = [[], []];
		for (let run = 0; run <= READS; run++) {
			const beganMs = performance.now();
			const rows = kernel.read();
			read.push(performance.now() - beganMs);
			table.merge(rows);
			all.push(performance.now() - beganMs);
			await pause(QUIET_MS);
		}
		if (table.sockets().length < LISTENERS) throw new Error(`only ${table.sockets().length} listeners were read`);
		const [firstMs = Number.NaN] = all;
		return { firstMs, read: read.slice(1), all: all.slice(1) };
	} finally {
		kernel.close();
	}
}

function seedTimes(): readonly number[] {
	return Array.from({ length: SEEDS }, () => {
		const kernel = openKernel();
		try {
			kernel.attach();
			const beganMs = performance.now();
			kernel.seed();
			return performance.now() - beganMs;
		} finally {
			kernel.close();
		}
	});
}
