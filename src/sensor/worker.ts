/**
 * The watcher: waits on the ring buffer, decodes, posts batches. It owns no BPF object, link or map: programs that a
 * worker attaches stay attached when it dies. Its event loop never turns; it is woken, asked whether it lives, and stopped
 * through an eventfd.
 */

import { parentPort, workerData } from "node:worker_threads";
import { messageOf } from "../errors.js";
import type { KernelEvent } from "../listeners/event.js";
import { openRing, readSingle, waitReadable } from "./libbpf.js";
import { MAX_UNACKNOWLEDGED, Shared, type WatcherInput, type WatcherMessage } from "./protocol.js";
import { decodeLosses, decodeRecord, type LimitedMark, LOSSES_SIZE } from "./record.js";

/** Records in one message, so that the main thread can start on a burst before its end. */
const MAX_BATCH = 1024;

function post(message: WatcherMessage): void {
	parentPort?.postMessage(message);
}

function watch({ eventsFd, lossesFd, wakeFd, shared }: WatcherInput): void {
	const counters = new Int32Array(shared);
	let events: KernelEvent[] = [];
	let limited: LimitedMark[] = [];
	let records = 0;
	const ring = openRing(eventsFd, (bytes) => {
		records++;
		const event = decodeRecord(bytes);
		if (event?.kind === "limited") limited.push(event);
		else if (event !== undefined) events.push(event);
		return records < MAX_BATCH;
	});
	const lossBytes = Buffer.alloc(LOSSES_SIZE);
	const lastLosses = Buffer.alloc(LOSSES_SIZE);
	let hadRoom = true;
	try {
		post({ type: "watching" });
		for (;;) {
			const onTheWay = (counters[Shared.posted] ?? 0) - Atomics.load(counters, Shared.acknowledged);
			const room = (onTheWay | 0) < MAX_UNACKNOWLEDGED;
			if (hadRoom && !room) Atomics.add(counters, Shared.behind, 1);
			hadRoom = room;
			waitReadable(wakeFd, room ? ring.epollFd : undefined);
			if (Atomics.load(counters, Shared.stop) !== 0) return;
			// once a turn, so that an answer says that the loop turns
			Atomics.store(counters, Shared.answered, Atomics.load(counters, Shared.pinged));
			if (!room) continue;
			ring.consume();
			if (records > 0) {
				Atomics.add(counters, Shared.posted, records);
				post({ type: "events", events, limited, records });
				events = [];
				limited = [];
				records = 0;
			}
			// A record is dropped only while others wait in the ring, so a look after each batch misses none.
			readSingle(lossesFd, lossBytes);
			if (!lossBytes.equals(lastLosses)) {
				lossBytes.copy(lastLosses);
				post({ type: "losses", losses: decodeLosses(lossBytes) });
			}
		}
	} finally {
		ring.close();
	}
}

try {
	const input: WatcherInput = workerData;
	watch(input);
} catch (error) {
	post({ type: "failed", message: messageOf(error) });
}
