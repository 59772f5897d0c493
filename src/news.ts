/**
 * What the log and the history are told of a step of the pipeline: gathered while it is taken, told once it was acted on,
 * since a line of the log takes as long as all the rest. Decides nothing.
 */

import type { Logger } from "pino";
import type { BackendRef } from "./backends/backend.js";
import type { Pools } from "./backends/pools.js";
import type { BackendStatus } from "./backends/status.js";
import type { Recorder } from "./explain/record.js";
import type { Known } from "./judged.js";
import type { EndpointKey } from "./listeners/ids.js";
import type { GateEnd } from "./readiness/gates.js";
import { reportBackend, reportGate, reportListener } from "./report.js";

type One =
	| { readonly what: "listening"; readonly listener: Known }
	| { readonly what: "renewed"; readonly before: Known; readonly now: Known }
	| { readonly what: "closed"; readonly listener: Known; readonly how: "event" | "read" };

interface Begun {
	readonly what: "begun";
	readonly key: EndpointKey;
}

export interface News {
	listens(key: EndpointKey): void;
	/** What is known of a listener is not as it was. */
	renewed(before: Known, now: Known): void;
	/** @param how an event said so, or a read no longer has it */
	closed(listener: Known, how: "event" | "read"): void;
	/** Tells at once. */
	gateEnded(end: GateEnd): void;
	/** The step is over: tells what came together, and what became of the backends that it touched. */
	tell(touched: readonly BackendRef[]): void;
	/** From now on what begins to listen is news. */
	begin(): void;
}

export interface NewsOptions {
	readonly log: Logger;
	readonly recorder: Recorder;
	readonly pools: Pick<Pools, "endpointsOf" | "backend">;
	/** What a person is told of a backend, as it is now; in words once it is called. */
	statusOf(ref: BackendRef): (() => BackendStatus) | undefined;
	now(): number;
	/** Does what need not be done before a change is acted on. */
	later(work: () => void): void;
	/** What is known of a listener, with what came of it in the pools. */
	shown(key: EndpointKey): Known | undefined;
}

export function createNews({ log, recorder, pools, statusOf, now, later, shown }: NewsOptions): News {
	let step: (One | Begun)[] = [];
	let hasBegun = false;

	const tellOne = (one: One, isNews: boolean, atMs: number) => {
		switch (one.what) {
			case "renewed":
				recorder.renewed(one.before, one.now, atMs);
				return;
			case "closed":
				recorder.closed(one.listener, one.how, atMs);
				reportListener(log, "closed", one.listener, isNews && one.listener.verdict.state !== "out");
				return;
			case "listening": {
				const { listener } = one;
				if (isNews) recorder.listened(listener);
				// also where it is held out in its service
				const isOurs = listener.verdict.state !== "out" || listener.claims.length > 0;
				reportListener(log, "listening", listener, isNews && isOurs);
				return;
			}
			default:
				one satisfies never;
		}
	};
	/** With what came of it by the end of the step; nothing where it is over already. */
	const begun = (key: EndpointKey): One[] => {
		// at the start, where there are many, and nobody is to read of them
		if (!hasBegun && !log.isLevelEnabled("debug")) return [];
		const listener = shown(key);
		return listener === undefined ? [] : [{ what: "listening", listener }];
	};
	/** As they are now: until it is told, they may be otherwise. */
	const factsOf = (ref: BackendRef) => ({ ref, status: statusOf(ref), endpoints: pools.endpointsOf(ref) });
	/** Nobody is told of those that are simply ready, at the start or, unless they were something else before, on another host. */
	const isTold = (ref: BackendRef) => {
		const backend = pools.backend(ref);
		return backend?.state !== "ready" || (hasBegun && (backend.local || recorder.hasElsewhere(ref)));
	};

	return {
		listens: (key) => step.push({ what: "begun", key }),
		renewed: (before, after) => step.push({ what: "renewed", before, now: after }),
		closed: (listener, how) => step.push({ what: "closed", listener, how }),
		gateEnded(end) {
			// one that was out and is to stay out is not among those that the step touched
			const { ref, status, endpoints } = factsOf(end.backend);
			const isNews = hasBegun;
			const atMs = now();
			later(() => {
				reportGate(log, end);
				if (isNews) recorder.backend(ref, status?.(), endpoints, atMs);
			});
		},
		tell(touched) {
			if (step.length === 0 && touched.length === 0) return;
			const told = step.flatMap((one) => (one.what === "begun" ? begun(one.key) : [one]));
			const backends = touched.filter(isTold).map(factsOf);
			step = [];
			if (told.length === 0 && backends.length === 0) return;
			const isNews = hasBegun;
			const atMs = now();
			later(() => {
				for (const one of told) tellOne(one, isNews, atMs);
				for (const { ref, status: words, endpoints } of backends) {
					const status = words?.();
					if (isNews) recorder.backend(ref, status, endpoints, atMs);
					reportBackend(log, ref, status);
				}
			});
		},
		begin() {
			hasBegun = true;
		},
	};
}
