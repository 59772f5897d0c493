/** Follows every server of a HAProxy: who was out of the pool, and when. Knows nothing of why. */

import { setTimeout as pause } from "node:timers/promises";
import type { Edge } from "../../host/edge.js";
import { readyOf } from "../../host/fleet.js";
import { serversOf } from "../../host/operator.js";
import { monotonicMs } from "../rig/probe.js";
import type { Out } from "./course.js";

export interface Witness {
	/** Who is in now: as of the last look. */
	readonly ready: readonly string[];
	/** Those that went out since the last call, and those that were out then. */
	take(): Out[];
	/** Waits for a look that began after now. */
	look(): Promise<void>;
	close(): Promise<void>;
}

const EVERY_MS = 5;

export function openWitness(edge: Edge): Witness {
	let ready: readonly string[] = [];
	let seenMs = monotonicMs();
	let looks = 0;
	let outs: Out[] = [];
	let isClosed = false;
	const out = new Map<string, Out>();

	const look = async () => {
		const now = readyOf(await serversOf(edge));
		const atMs = monotonicMs();
		for (const place of ready) {
			if (now.includes(place)) continue;
			const gone = { place, inMs: seenMs, outMs: atMs, backMs: undefined };
			out.set(place, gone);
			outs.push(gone);
		}
		for (const place of now) {
			const gone = out.get(place);
			if (gone !== undefined) gone.backMs = atMs;
			out.delete(place);
		}
		ready = now;
		seenMs = atMs;
		looks++;
	};
	const looking = (async () => {
		while (!isClosed) {
			await look();
			await pause(EVERY_MS);
		}
	})();
	looking.catch(() => {});

	return {
		get ready() {
			return ready;
		},
		take() {
			const taken = outs;
			outs = [...out.values()];
			return taken;
		},
		async look() {
			const wanted = looks + 2;
			while (looks < wanted) await Promise.race([pause(EVERY_MS), looking]);
		},
		async close() {
			isClosed = true;
			await looking;
		},
	};
}
